//! Yes or no of a row: is it blocked, unknown, not for sale?

use std::borrow::Cow;

use serde::Deserialize;

use super::config::RestConfigError;
use super::document::{Content, Node};
use super::field::scalar;
use super::selector::{Row, Selector};

/// Tests of which one has to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a selector, a table {at, is, is_not, contains}, or a list of these")]
pub enum ConditionsConfig {
    Selector(String),
    // Before the table, which serde would also read from a list.
    AnyOf(Vec<ConditionItem>),
    Table(ConditionTable),
}

impl Default for ConditionsConfig {
    fn default() -> Self {
        ConditionsConfig::AnyOf(Vec::new())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a selector or a table {at, is, is_not, contains}")]
pub enum ConditionItem {
    Selector(String),
    Table(ConditionTable),
}

/// All given tests must hold. With none: what `at` finds is not null, false, zero or empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionTable {
    pub at: String,
    /// One of these texts; nothing found counts as `null`.
    pub is: Option<Vec<String>>,
    pub is_not: Option<Vec<String>>,
    pub contains: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
struct Condition {
    at: Selector,
    is: Option<Vec<String>>,
    is_not: Option<Vec<String>>,
    contains: Option<Vec<String>>,
}

/// Compiled tests; without any, nothing holds.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    pub fn compile(key: &str, config: &ConditionsConfig) -> Result<Self, RestConfigError> {
        let tables = match config {
            ConditionsConfig::Selector(text) => vec![ConditionTable { at: text.clone(), ..ConditionTable::default() }],
            ConditionsConfig::Table(table) => vec![table.clone()],
            ConditionsConfig::AnyOf(items) => items
                .iter()
                .map(|item| match item {
                    ConditionItem::Selector(text) => ConditionTable { at: text.clone(), ..ConditionTable::default() },
                    ConditionItem::Table(table) => table.clone(),
                })
                .collect(),
        };
        tables
            .into_iter()
            .map(|table| {
                Ok(Condition {
                    at: Selector::compile(key, &table.at)?,
                    is: table.is,
                    is_not: table.is_not,
                    contains: table.contains,
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    pub fn hold(&self, row: Row<'_>) -> bool {
        self.0.iter().any(|condition| condition.holds(row))
    }
}

impl Condition {
    fn holds(&self, row: Row<'_>) -> bool {
        let mut found = self.at.all(row);
        if self.is.is_none() && self.is_not.is_none() && self.contains.is_none() {
            return found.any(says_something);
        }
        match found.next() {
            None => self.text_fits("null"),
            Some(first) => std::iter::once(first).chain(found).any(|node| self.text_fits(&text_of(node))),
        }
    }

    fn text_fits(&self, text: &str) -> bool {
        self.is.as_ref().is_none_or(|is| is.iter().any(|one| one == text))
            && self.is_not.as_ref().is_none_or(|is_not| is_not.iter().all(|one| one != text))
            && self.contains.as_ref().is_none_or(|parts| parts.iter().any(|part| text.contains(part.as_str())))
    }
}

/// The text of any value; of a list or an object its JSON.
pub fn text_of(node: Node<'_>) -> Cow<'_, str> {
    scalar(node.content()).unwrap_or_else(|| node.tree().to_string().into())
}

/// Not null, false, zero or empty.
pub fn says_something(node: Node<'_>) -> bool {
    match node.content() {
        Content::Null | Content::Bool(false) => false,
        Content::Bool(true) => true,
        Content::Number(digits) => digits.bytes().any(|b| b.is_ascii_digit() && b != b'0'),
        Content::Text(text) => !text.is_empty(),
        Content::Array(mut items) => items.next().is_some(),
        Content::Object { is_empty } => !is_empty,
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::read;
    use super::*;

    fn holds(config: &str, row: Row<'_>) -> bool {
        #[derive(Deserialize)]
        struct File {
            when: ConditionsConfig,
        }
        let config = toml::from_str::<File>(&format!("when = {config}")).unwrap().when;
        Conditions::compile("when", &config).unwrap().hold(row)
    }

    #[test]
    fn what_holds() {
        let row = read(
            r#"{"yes": true, "no": false, "none": null, "zero": 0, "text": "sold out", "code": 7, "list": [1, "a"],
            "tags": [{"name": "a"}, {"name": "b"}]}"#,
        );
        for (config, want) in [
            ("\"$.yes\"", true),
            ("\"$.no\"", false),
            ("\"$.none\"", false),
            ("\"$.missing\"", false),
            ("\"$.zero\"", false),
            ("\"$.tags\"", true),
            ("{ at = \"$.no\", is = [\"false\"] }", true),
            ("{ at = \"$.missing\", is = [\"null\"] }", true),
            ("{ at = \"$.code\", is = [\"6\", \"7\"] }", true),
            ("{ at = \"$.code\", is_not = [\"7\"] }", false),
            ("{ at = \"$.missing\", is_not = [\"7\"] }", true),
            ("{ at = \"$.text\", contains = [\"out\"] }", true),
            ("{ at = \"$.tags[*].name\", is = [\"b\"] }", true),
            ("[\"$.no\", { at = \"$.tags[*].name\", is = [\"c\"] }]", false),
            ("{ at = \"$.list\", is = ['[1,\"a\"]'] }", true),
            ("[\"$.no\", \"$.yes\"]", true),
            ("[]", false),
        ] {
            assert_eq!(holds(config, Row::new(row.root())), want, "{config}");
        }
    }
}
