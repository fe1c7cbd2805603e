//! Objects as clients write them.

use super::*;

fn fields(text: &str) -> Fields<'_> {
    Fields::read(text, "it").unwrap()
}

#[test]
fn the_last_of_a_key_counts_and_other_values_are_read_over() {
    let text = r#"{"a":"first","n":null,"b":[{"deep":[1,-2,3.5]},"x"],"\u0061":"e\"scaped","o":{"k":{}},"t":true}"#;
    let fields = fields(text);
    assert_eq!(fields.text("a"), Ok("e\"scaped"));
    assert_eq!(fields.optional_text("n"), Ok(None));
    assert_eq!(fields.optional_text("absent"), Ok(None));
    assert_eq!(fields.optional_flag("t"), Ok(Some(true)));
    for other in ["b", "o", "t"] {
        assert_eq!(fields.text(other), Err(format!("{other} must be a string")));
    }
    for broken in [r#"{"a":[1,}"#, r#"{"a":1}x"#, r#"["a"]"#, r#"{"a":{"b":}}"#, "{1:2}", r#"{"a":"\ud800"}"#] {
        assert_eq!(Fields::read(broken, "it").err(), Some("it must be a JSON object".into()), "{broken}");
    }
}

#[test]
fn ids_have_three_forms() {
    let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let text = format!(r#"{{"i":7,"s":"7","u":"{uuid}","n":null,"max":9223372036854775807}}"#);
    let read = fields(&text);
    for name in ["i", "s"] {
        assert_eq!(read.reference(name), Ok(Reference::Number(7)));
        assert_eq!(read.message(name), Ok(MessageId(7)));
    }
    assert_eq!(read.reference("u"), Ok(Reference::Uuid(uuid.parse().unwrap())));
    assert_eq!(read.message("max"), Ok(MessageId(i64::MAX)));
    assert_eq!(read.message("u"), Err("u must be a positive integer".into()));
    assert_eq!(read.reference("n"), Err("n is missing".into()));
    assert_eq!((read.optional_reference("n"), read.optional_message("x")), (Ok(None), Ok(None)));
    for bad in ["0", "-1", "1.0", "1e3", "9223372036854775808", "\"07\"", "\"\"", "true", "[1]", "{}"] {
        let text = format!(r#"{{"x":{bad}}}"#);
        let read = fields(&text);
        assert_eq!(read.reference("x"), Err("x must be a positive integer or a UUID".into()), "{bad}");
        assert_eq!(read.message("x"), Err("x must be a positive integer".into()), "{bad}");
        assert_eq!(read.optional_count("x"), Err("x must be a positive integer".into()), "{bad}");
    }
}

#[test]
fn values_are_picked_as_they_stand() {
    let text = r#" {"a":1,"skipped":["\ud83d",1e999],"\u0061" : 9007199254740993.0 ,"b":{"x":[]},"c":null} "#;
    let picked = pick(text, "it", ["a", "b", "c", "d"]).unwrap();
    assert_eq!(
        picked.map(|value| value.map(RawValue::get)),
        [Some("9007199254740993.0"), Some(r#"{"x":[]}"#), None, None]
    );
    for broken in ["", "[]", "{", r#"{"a":}"#, r#"{"a":1}x"#, r#"{"\ud83d":1}"#, "null"] {
        assert!(pick(broken, "it", ["a"]).is_err(), "{broken}");
    }
}

#[test]
fn lists_of_ids_are_read() {
    let list = |text: &str| {
        let [list] = pick(text, "it", ["l"]).unwrap();
        as_references(list.unwrap(), "l")
    };
    assert_eq!(list(r#"{"l":[]}"#), Ok(vec![]));
    assert_eq!(list(r#"{"l":[1,"2"]}"#), Ok(vec![Reference::Number(1), Reference::Number(2)]));
    for bad in ["1", "{}", "[0]", "[[1]]", "[null]", r#"["\ud83d"]"#] {
        assert!(list(&format!(r#"{{"l":{bad}}}"#)).is_err(), "{bad}");
    }
}
