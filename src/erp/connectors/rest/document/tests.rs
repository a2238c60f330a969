//! Against `serde_json`, and what it means that two members share a name.

use proptest::prelude::*;

use super::*;

pub fn read(text: &str) -> Document {
    Document::read(text.as_bytes().to_vec()).unwrap_or_else(|(_, why)| panic!("{text}: {why}"))
}

/// The value as a tree, by what nodes say of themselves.
fn rebuilt(node: Node<'_>) -> Json {
    match node.content() {
        Content::Null => Json::Null,
        Content::Bool(flag) => Json::Bool(flag),
        Content::Number(digits) => Json::Number(digits.parse().unwrap()),
        Content::Text(text) => Json::String(text.into_owned()),
        Content::Array(items) => Json::Array(items.map(rebuilt).collect()),
        Content::Object { is_empty } => {
            let members: serde_json::Map<String, Json> = node
                .within()
                .map(|member| {
                    let name = without_escapes(member.document.slice(member.entry().name));
                    let value = rebuilt(node.member(&name).unwrap());
                    (name, value)
                })
                .collect();
            assert_eq!(members.is_empty(), is_empty);
            Json::Object(members)
        }
    }
}

/// JSON texts, small, with blanks, escapes and doubled names.
pub fn texts() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "", "é", "x y", r"\u0061", r"a\\b", "\\\"", "0", "$", "a.b"]);
    let blank = prop::sample::select(vec!["", "", "", " ", "\n\t", "\r "]);
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.50",
            "1E+2",
            "1e-7",
            "12345678901234567890.10"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec!["", "x", " ", "é☃", r"\n", r"\u00e9\ud83d\ude00", r"\/", "12,50"])
            .prop_map(|inner| format!("\"{inner}\"")),
        (any::<i32>(), 0u32..9).prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let (left, right) = (blank.clone(), blank.clone());
        let items = prop::collection::vec((left.clone(), inner.clone(), right.clone()), 0..5).prop_map(|items| {
            items.into_iter().map(|(l, item, r)| format!("{l}{item}{r}")).collect::<Vec<_>>().join(",")
        });
        let members = prop::collection::vec((left, name.clone(), right, inner), 0..6).prop_map(|members| {
            members
                .into_iter()
                .map(|(l, name, r, value)| format!("{l}\"{name}\"{r}:{value}"))
                .collect::<Vec<_>>()
                .join(",")
        });
        prop_oneof![items.prop_map(|items| format!("[{items}]")), members.prop_map(|members| format!("{{{members}}}"))]
    })
}

proptest! {
    #[test]
    fn a_text_says_what_serde_json_takes_it_to_say(text in texts()) {
        let want: Json = serde_json::from_str(&text).unwrap();
        let document = read(&text);
        prop_assert_eq!(rebuilt(document.root()), want.clone());
        prop_assert_eq!(&*document.root().tree(), &want);
    }

    /// One byte dropped, put in or changed, or the end cut off.
    #[test]
    fn what_is_json_is_what_serde_json_reads(text in texts(), at in any::<prop::sample::Index>(), how in 0..4, byte in
        prop::sample::select(b"\"\\{}[],:0-+.eEtfnu \n\x01\x7f\xc3".to_vec())) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => { bytes.remove(at); }
            1 => bytes.insert(at, byte),
            2 => bytes[at] = byte,
            _ => bytes.truncate(at),
        }
        let want = serde_json::from_slice::<Json>(&bytes).ok();
        let document = Document::read(bytes.clone());
        prop_assert_eq!(document.as_ref().ok().map(|document| rebuilt(document.root())), want);
        if let Err((text, _)) = document {
            prop_assert_eq!(text, bytes);
        }
    }
}

#[test]
fn numbers_keep_their_digits() {
    let document = read("[0.10000000000000000001, 1E+2, -0, 35.8100]");
    let Content::Array(items) = document.root().content() else { panic!() };
    let digits: Vec<&str> = items
        .map(|item| match item.content() {
            Content::Number(digits) => digits,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(digits, ["0.10000000000000000001", "1E+2", "-0", "35.8100"]);
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    let document = read(r#"{"a": 1, "\u0061": 2, "b": {"a": 3}, "a": {"deep": 4}, "c": 5}"#);
    assert_eq!(rebuilt(document.root().member("a").unwrap()).to_string(), r#"{"deep":4}"#);
    let document = read(r#"{"a": 1, "\u0061": 2}"#);
    assert_eq!(rebuilt(document.root().member("a").unwrap()).to_string(), "2");
}

#[test]
fn json_of_any_depth_is_read_or_refused_without_harm() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [1, 126, 127, 128, 129, 100_000] {
        let text = nested(depth);
        let want = serde_json::from_str::<Json>(&text).is_ok();
        assert_eq!(Document::read(text.into_bytes()).is_ok(), want, "{depth}");
        assert_eq!(want, depth < 128);
    }
    assert!(Document::read("{\"a\":".repeat(100_000).into_bytes()).is_err());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, want) in [
        (&b""[..], "a value is missing at byte 0"),
        (b"<html>", "a value is missing at byte 0"),
        (b"{\"a\": 1", "a comma or the end of an object is missing at byte 7"),
        (b"[1, 2] x", "something follows the value at byte 7"),
        (b"{\"a\": \"\xe9\"}", "byte 7 is not UTF-8"),
        (b"[\"\\ud800\"]", "a string holds a bad escape at byte 9"),
        (b"[01]", "a comma or the end of an array is missing at byte 2"),
    ] {
        assert_eq!(Document::read(text.to_vec()).unwrap_err().1, want);
    }
    assert!(Document::read(b"\xef\xbb\xbf{\"a\": 1}".to_vec()).is_ok());
}
