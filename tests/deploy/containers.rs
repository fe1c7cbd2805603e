//! The image and the compose file, as far as they can be checked where no container can be run; and the health check.

use std::process::Command;

use serde_json::{Value, json};

use super::{file, printed, text_of};
use crate::common::tools::tool;
use crate::common::{Server, roomcast};

#[test]
fn health_is_told_by_the_exit_code() {
    let ask =
        |port: u16| roomcast().arg("health").env("HOST", "0.0.0.0").env("PORT", port.to_string()).output().unwrap();
    let mut server = Server::start(&[]);
    let port = server.address.port();
    let output = ask(port);
    let said = (output.status.code(), String::from_utf8(output.stdout).unwrap());
    assert_eq!(said, (Some(0), format!("127.0.0.1:{port} serves\n")));

    server.signal("STOP");
    let silent = ask(port);
    server.signal("CONT");
    let said = (silent.status.code(), String::from_utf8(silent.stderr).unwrap());
    assert_eq!(said, (Some(1), format!("roomcast: 127.0.0.1:{port} does not answer in time\n")));

    server.signal("TERM");
    assert!(server.wait().0.success());
    let gone = ask(port);
    let said = (gone.status.code(), String::from_utf8(gone.stderr).unwrap());
    assert_eq!(said, (Some(1), format!("roomcast: nobody listens on 127.0.0.1:{port}\n")));

    // Somebody else who listens is not us.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    std::thread::spawn(move || drop(other.accept()));
    assert_eq!(ask(port).status.code(), Some(1));
}

#[test]
fn the_dockerfile_is_clean_and_of_this_toolchain() {
    printed(Command::new(tool("venv/bin/hadolint")).arg("--failure-threshold=style").arg(file("Dockerfile")));
    let text = text_of("Dockerfile");
    let version =
        include_str!("../../Cargo.toml").split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(text.contains(&format!("FROM rust:{version}-")), "not Rust {version}");
    for line in ["USER 65532:65532", "STOPSIGNAL SIGTERM", "VOLUME /data", "FROM scratch", "EXPOSE 8000"] {
        assert!(text.lines().any(|it| it == line), "{line}");
    }
    // Nothing is copied that is kept from the builder.
    let ignored = text_of("Dockerfile.dockerignore");
    let sent: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let copied = text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from"));
    for name in copied.flat_map(|line| line.split(' ').filter(|word| *word != "./")) {
        assert!(sent.contains(&name), "{name}");
    }
}

/// The file as JSON.
fn compose() -> Value {
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let json = printed(Command::new(tool("venv/bin/python")).args(["-c", program]).arg(file("compose.yml")));
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_compose_file_is_one() {
    let schema = ["--builtin-schema", "vendor.compose-spec"];
    printed(Command::new(tool("venv/bin/check-jsonschema")).args(schema).arg(file("compose.yml")));
}

#[test]
fn the_services_wait_for_one_another_and_know_no_literal_secret() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["postgres", "redis", "roomcast"]);
    let server = &services["roomcast"];
    assert_eq!(
        server["depends_on"],
        json!({
            "postgres": { "condition": "service_healthy" },
            "redis": { "condition": "service_healthy", "required": false },
        })
    );
    // Its own is the image's.
    assert!(text_of("Dockerfile").contains(
        r#"HEALTHCHECK --interval=10s --timeout=5s --start-period=40s --retries=3 CMD ["/roomcast", "health"]"#
    ));
    for name in ["postgres", "redis"] {
        assert!(services[name]["healthcheck"]["test"].is_array(), "{name}");
        assert!(services[name]["ports"].is_null(), "{name} is for the services alone");
    }
    let version = |name: &str| {
        let image = services[name]["image"].as_str().unwrap();
        image.split_once(':').unwrap().1.split('-').next().unwrap().parse::<u32>().unwrap()
    };
    assert!(version("postgres") >= 15 && version("redis") == 7);
    assert_eq!(services["redis"]["profiles"], json!(["nodes"]));
    assert!(server["ports"][0].as_str().unwrap().starts_with("127.0.0.1:"));

    let variables = services.values().filter_map(|service| service["environment"].as_object()).flatten();
    let mut secrets = 0;
    for (name, value) in
        variables.filter(|(name, _)| ["PASSWORD", "KEY", "SECRET", "URL"].iter().any(|word| name.contains(word)))
    {
        // From the file .env, and without it there is no start.
        assert!(value.as_str().unwrap().contains(":?"), "{name}");
        secrets += 1;
    }
    assert_eq!(secrets, 4);
    let known = server["environment"].as_object().unwrap().keys().filter(|name| name.starts_with("ROOMCAST_"));
    for name in known {
        assert!(roomcast::config::SETTINGS.iter().any(|setting| setting.variable() == *name), "{name}");
    }
}
