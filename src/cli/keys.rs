//! What tokens are checked with, as the settings have it: a secret, or the file of a public key.

use std::fs;

use crate::config::Config;
use crate::proto::token::{Key, Verifier};

/// What checks tokens; nothing, if none are taken. What is wrong with the settings is one sentence.
pub(super) fn verifier(config: &Config) -> Result<Option<Verifier>, String> {
    let current = key("jwt-secret", &config.jwt_secret.0, "jwt-public-key", &config.jwt_public_key)?;
    let previous = key(
        "jwt-previous-secret",
        &config.jwt_previous_secret.0,
        "jwt-previous-public-key",
        &config.jwt_previous_public_key,
    )?;
    let wanted = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    match (current, previous) {
        (Some(current), previous) => {
            let (issuer, audience) = (wanted(&config.jwt_issuer), wanted(&config.jwt_audience));
            Ok(Some(Verifier::new(current, previous, issuer, audience)))
        }
        (None, Some(_)) => {
            Err("a previous key for tokens is set, and none for today: set jwt-secret or jwt-public-key, \
                                each as a flag or a variable"
                .into())
        }
        (None, None) => Ok(None),
    }
}

/// One key, or none. The file's path may be shown, the secret may not.
fn key(secret_flag: &str, secret: &str, path_flag: &str, path: &str) -> Result<Option<Key>, String> {
    match (secret.is_empty(), path.is_empty()) {
        (true, true) => Ok(None),
        (false, true) => Key::secret(secret.as_bytes()).map(Some).map_err(|wrong| format!("{secret_flag} {wrong}")),
        (true, false) => {
            let text = fs::read_to_string(path).map_err(|error| format!("{path_flag}: can't read {path}: {error}"))?;
            Key::public(&text).map(Some).map_err(|wrong| format!("{path_flag}: {path} {wrong}"))
        }
        (false, false) => {
            Err(format!("{secret_flag} and {path_flag} are both set: tokens are checked with one of them"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn config(secret: &str, previous: &str, path: &str) -> Config {
        Config {
            jwt_secret: Secret(secret.into()),
            jwt_previous_secret: Secret(previous.into()),
            jwt_public_key: path.into(),
            ..Config::default()
        }
    }

    #[test]
    fn what_is_set_is_taken_or_told() {
        let (long, short) = ("x".repeat(32), "hush");
        let found = |config: Config| verifier(&config).map(|verifier| verifier.map(|it| it.description()));
        assert_eq!(found(Config::default()), Ok(None));
        assert_eq!(found(config(&long, "", "")), Ok(Some("HS256".into())));
        assert_eq!(found(config(&long, &long, "")), Ok(Some("HS256, with a previous key".into())));
        let wrong = [
            (config(short, "", ""), "jwt-secret must have at least 32 bytes"),
            (config(&long, short, ""), "jwt-previous-secret must have at least 32 bytes"),
            (config(&long, "", "key.pem"), "jwt-secret and jwt-public-key are both set: "),
            (config("", &long, ""), "a previous key for tokens is set, and none for today: "),
            (config("", "", "no/such/file"), "jwt-public-key: can't read no/such/file: "),
            (config("", "", "Cargo.toml"), "jwt-public-key: Cargo.toml is not a PEM file"),
        ];
        for (config, start) in wrong {
            let sentence = found(config).unwrap_err();
            assert!(sentence.starts_with(start) && !sentence.contains(short), "{sentence}");
        }
    }
}
