//! Where something stands in an answer: JSONPath (RFC 9535).
//!
//! Nearly every selector of a preset names one place (`$.stock.onHand`, `$.lines[0]`), and a page is read with thousands of
//! them: those are walked step by step. Whatever else a JSONPath can say goes to the general library, which works on trees.

use serde_json_path::{JsonPath, PathElement};

use super::config::RestConfigError;
use super::document::{Content, Node, Nodes};

/// A row and, for a row within a row, the outer one.
#[derive(Clone, Copy)]
pub struct Row<'d> {
    pub here: Node<'d>,
    pub outer: Option<Node<'d>>,
}

impl<'d> Row<'d> {
    pub fn new(here: Node<'d>) -> Self {
        Self { here, outer: None }
    }

    pub fn inner(self, here: Node<'d>) -> Self {
        Self { here, outer: Some(self.here) }
    }
}

/// A compiled selector.
#[derive(Clone, Debug)]
pub struct Selector {
    path: Path,
    /// Written `^$`: starts at the outer row.
    outer: bool,
}

#[derive(Clone, Debug)]
enum Path {
    /// To at most one value.
    Steps(Box<[Step]>),
    General(JsonPath),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// What a selector finds, in the library's order.
pub enum Found<'d> {
    AtMostOne(Option<Node<'d>>),
    Several(std::vec::IntoIter<Node<'d>>),
}

impl<'d> Iterator for Found<'d> {
    type Item = Node<'d>;

    fn next(&mut self) -> Option<Node<'d>> {
        match self {
            Found::AtMostOne(node) => node.take(),
            Found::Several(nodes) => nodes.next(),
        }
    }
}

impl Selector {
    pub fn compile(key: &str, text: &str) -> Result<Self, RestConfigError> {
        let (outer, path) = match text.strip_prefix('^') {
            Some(path) => (true, path),
            None => (false, text),
        };
        let general = JsonPath::parse(path)
            .map_err(|error| RestConfigError::new(key, format!("{text:?} is not a JSONPath: {error}")))?;
        let path = steps(path).map_or(Path::General(general), Path::Steps);
        Ok(Self { path, outer })
    }

    pub fn all<'d>(&self, row: Row<'d>) -> Found<'d> {
        let root = if self.outer { row.outer.unwrap_or(row.here) } else { row.here };
        match &self.path {
            Path::Steps(steps) => Found::AtMostOne(steps.iter().try_fold(root, |node, step| match step {
                Step::Member(name) => node.member(name),
                Step::Element(index) => node.element(*index),
            })),
            Path::General(path) => Found::Several(query(path, root).into_iter()),
        }
    }

    /// The elements of the one list it finds; an object is a list of one. `None`: it finds nothing or null.
    pub fn list<'d>(&self, row: Row<'d>) -> Result<Option<Nodes<'d>>, String> {
        let mut found = self.all(row);
        let (first, second) = (found.next(), found.next());
        if second.is_some() {
            return Err("the rows' selector finds more than one list".into());
        }
        let Some(node) = first else { return Ok(None) };
        match node.content() {
            Content::Null => Ok(None),
            Content::Array(items) => Ok(Some(items)),
            Content::Object { .. } => Ok(Some(node.alone())),
            _ => Err("the rows' selector finds no list".into()),
        }
    }

    /// The one value it finds; null and the empty text are nothing.
    pub fn one<'d>(&self, row: Row<'d>) -> Result<Option<Content<'d>>, String> {
        let mut found = self.all(row);
        let (first, second) = (found.next(), found.next());
        if second.is_some() {
            return Err("finds more than one value".into());
        }
        Ok(first.map(Node::content).filter(|content| match content {
            Content::Null => false,
            Content::Text(text) => !text.trim().is_empty(),
            _ => true,
        }))
    }
}

fn query<'d>(path: &JsonPath, root: Node<'d>) -> Vec<Node<'d>> {
    let tree = root.tree();
    let located = path.query_located(&tree);
    located
        .locations()
        .filter_map(|location| {
            location.iter().try_fold(root, |node, element| match element {
                PathElement::Name(name) => node.member(name),
                PathElement::Index(index) => node.element(*index),
            })
        })
        .collect()
}

/// The steps of a path that names one place in the plainest way: `.name`, `['name']` without escapes, `[0]`.
fn steps(path: &str) -> Option<Box<[Step]>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = match rest.strip_prefix('.') {
            Some(behind) => {
                let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len());
                let (name, behind) = behind.split_at(end);
                (Step::Member(Some(name).filter(|name| !name.is_empty())?.to_owned()), behind)
            }
            None => {
                let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
                (step_in_brackets(inner)?, behind)
            }
        };
        steps.push(step);
        rest = behind;
    }
    Some(steps.into())
}

fn step_in_brackets(inner: &str) -> Option<Step> {
    let quoted = |quote| inner.strip_prefix(quote)?.strip_suffix(quote);
    match quoted('\'').or_else(|| quoted('"')) {
        Some(name) => (!name.contains(['\\', '\'', '"'])).then(|| Step::Member(name.to_owned())),
        None => inner.bytes().all(|b| b.is_ascii_digit()).then(|| inner.parse().ok().map(Step::Element)).flatten(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::super::document::tests::{read, texts};
    use super::*;

    #[test]
    fn plain_paths_are_walked_and_all_others_left_to_the_library() {
        let member = |name: &str| Step::Member(name.to_owned());
        for (path, want) in [
            ("$", Some(vec![])),
            ("$.a", Some(vec![member("a")])),
            ("$.a_1.B", Some(vec![member("a_1"), member("B")])),
            ("$['currency.'].code", Some(vec![member("currency."), member("code")])),
            ("$[\"a b\"][12]", Some(vec![member("a b"), Step::Element(12)])),
            ("$['']", Some(vec![member("")])),
            ("$.a[*]", None),
            ("$.*", None),
            ("$..a", None),
            ("$[-1]", None),
            ("$[0,1]", None),
            ("$[0:1]", None),
            ("$[?@.a]", None),
            ("$ .a", None),
            ("$['a\\'b']", None),
            ("$['a]b']", None),
            ("$['a','b']", None),
            ("$.é", None),
        ] {
            assert!(JsonPath::parse(path).is_ok(), "{path}");
            assert_eq!(steps(path).map(|steps| steps.to_vec()), want, "{path}");
        }
    }

    fn paths() -> impl Strategy<Value = String> {
        let plain =
            prop::sample::select(vec![".a", ".b", ".c", "['a']", "[\"b\"]", "['']", "['x y']", "[0]", "[1]", "[2]"]);
        let rarer = prop::sample::select(vec![
            ".*",
            "[*]",
            "..a",
            "..*",
            "[-1]",
            "[0,1]",
            "['a','b']",
            "[0:2]",
            "[?@.a]",
            "[?@ == 0]",
            "['\\u0061']",
            ".é",
            "[?@.b > 1]",
            " .a",
            "['$']",
        ]);
        prop::collection::vec(prop_oneof![8 => plain, 1 => rarer], 0..4)
            .prop_map(|segments| format!("${}", segments.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_selector_finds_what_the_library_finds(text in texts(), path in paths()) {
            let tree: Json = serde_json::from_str(&text).unwrap();
            let library = JsonPath::parse(&path).unwrap();
            let want: Vec<&Json> = library.query(&tree).all();
            let document = read(&text);
            let selector = Selector::compile("k", &path).unwrap();
            let found: Vec<_> = selector.all(Row::new(document.root())).map(Node::tree).collect();
            prop_assert_eq!(found.iter().map(|tree| &**tree).collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn a_row_within_a_row_can_look_at_the_outer_one() {
        let document = read(r#"{"currency": "EUR", "lines": [{"sku": "A"}, {"sku": "B"}]}"#);
        let root = Row::new(document.root());
        let select = |text: &str| Selector::compile("k", text).unwrap();
        let lines: Vec<Node<'_>> = select("$.lines").list(root).unwrap().unwrap().collect();
        assert_eq!(lines.len(), 2);
        for (path, want) in [("$.sku", "\"B\""), ("^$.currency", "\"EUR\""), ("^$.lines[0].sku", "\"A\"")] {
            let found: Vec<String> =
                select(path).all(root.inner(lines[1])).map(|node| node.tree().to_string()).collect();
            assert_eq!(found, [want], "{path}");
        }
        assert!(select("$.lines[*].sku").one(root).is_err());
        assert!(select("$.lines[*]").list(root).is_err());
        assert!(select("$.currency").list(root).is_err());
        assert!(select("$.none").list(root).unwrap().is_none());
        assert_eq!(select("$").list(root).unwrap().unwrap().count(), 1);
    }
}
