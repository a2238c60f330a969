//! Templates of requests: they print values so that no value can change what the request says.
//!
//! Owns the template engine and the rule that what a value turns into depends on where it is printed: in a JSON body it
//! becomes JSON, in a path it is percent-encoded, in a header or a query value it stays text (which the HTTP layer then
//! checks or encodes). Undefined values are errors, and a template has a budget of steps.
//!
//! Filters besides the usual ones: `json` (as JSON, anywhere), `number` (a decimal as its bare digits, never through a
//! float), `b64`, `b64url` (without padding), `urlencode`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::config::RestConfigError;
use crate::erp::ErpError;

/// Steps one rendering may take: thousands of lines, and no endless loop.
const FUEL: u64 = 5_000_000;

/// What RFC 3986 calls unreserved stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a template's text ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Json,
    Path,
    Text,
}

impl Place {
    fn escape(self) -> AutoEscape {
        match self {
            Place::Json => AutoEscape::Json,
            Place::Path => AutoEscape::Custom("path".into()),
            Place::Text => AutoEscape::None,
        }
    }
}

/// A compiled template: its place in the engine.
#[derive(Clone, Debug)]
pub struct Template {
    /// The key it stands under in the preset.
    key: String,
    /// The lookups it reads.
    pub lookups: BTreeSet<String>,
    /// The values it reads, each by its first name, in whatever branch.
    pub reads: BTreeSet<String>,
}

/// All templates of a preset.
#[derive(Debug)]
pub struct Templates {
    engine: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        engine.set_formatter(print);
        engine.add_filter("json", |value: Value| to_json(&value).map(Value::from_safe_string));
        engine.add_filter("number", |value: Value| to_number(&value).map(Value::from_safe_string));
        engine.add_filter("b64", |value: Value| to_text(&value).map(|text| STANDARD.encode(text)));
        engine.add_filter("b64url", |value: Value| to_text(&value).map(|text| URL_SAFE_NO_PAD.encode(text)));
        engine.add_filter("urlencode", |value: Value| {
            to_text(&value).map(|text| Value::from_safe_string(utf8_percent_encode(&text, RESERVED).to_string()))
        });
        Self { engine }
    }
}

impl Templates {
    /// Compiles one template. `key` is unique within the preset.
    pub fn add(&mut self, key: &str, place: Place, source: &str) -> Result<Template, RestConfigError> {
        let wrong = |error: Error| RestConfigError::new(key, error);
        self.engine.set_auto_escape_callback(move |_| place.escape());
        self.engine.add_template_owned(key.to_owned(), source.to_owned()).map_err(wrong)?;
        let compiled = self.engine.get_template(key).map_err(wrong)?;
        let undeclared = compiled.undeclared_variables(true);
        let names = |prefix: &str| {
            undeclared
                .iter()
                .filter_map(|name| name.strip_prefix(prefix)?.split('.').next().map(str::to_owned))
                .collect()
        };
        let lookups: BTreeSet<String> = names("lookup.");
        if undeclared.contains("lookup") {
            return Err(RestConfigError::new(key, "lookups are named in full: lookup.NAME[key]"));
        }
        let reads = undeclared.iter().filter_map(|name| name.split('.').next().map(str::to_owned)).collect();
        Ok(Template { key: key.to_owned(), lookups, reads })
    }

    pub fn render(&self, template: &Template, context: &Value) -> Result<String, ErpError> {
        self.engine.get_template(&template.key).and_then(|compiled| compiled.render(context.clone())).map_err(|error| {
            // The detail names what is missing; the engine never quotes values in it.
            let line = error.line().unwrap_or_default();
            let what =
                error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
            ErpError::Unprepared(format!("{} line {line}: {what}", template.key))
        })
    }
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let text = if value.is_safe() {
        to_text(value)?
    } else {
        match state.auto_escape() {
            AutoEscape::Json => to_json(value)?,
            AutoEscape::None => to_text(value)?,
            _ => {
                let text = to_text(value)?;
                // As a segment these two would climb the path, however they are encoded.
                if matches!(text.as_str(), "" | "." | "..") {
                    return Err(wrong(format!("{text:?} cannot be part of a path")));
                }
                utf8_percent_encode(&text, RESERVED).to_string()
            }
        }
    };
    out.write_str(&text).map_err(Error::from)
}

fn to_json(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Number if !value.is_integer() => Err(wrong("a computed fraction is not exact")),
        _ => serde_json::to_string(value).map_err(|error| wrong(error.to_string())),
    }
}

fn to_text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Bool => Ok(value.to_string()),
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        kind => Err(wrong(format!("{kind} cannot be printed as text"))),
    }
}

/// A decimal's digits as they are; nothing else passes.
fn to_number(value: &Value) -> Result<String, Error> {
    let text = to_text(value)?;
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    // JSON forbids leading zeros.
    let is_json = all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'));
    if is_json { Ok(text) } else { Err(wrong("not a plain decimal")) }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

/// A preset's own value for templates. Fractions are refused: as floats they would not be exact.
pub fn from_toml(key: &str, value: &toml::Value) -> Result<Value, RestConfigError> {
    Ok(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Array(items) => {
            Value::from(items.iter().map(|item| from_toml(key, item)).collect::<Result<Vec<_>, _>>()?)
        }
        toml::Value::Table(table) => Value::from_iter_map(
            table
                .iter()
                .map(|(name, item)| Ok((name.clone(), from_toml(key, item)?)))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        toml::Value::Float(_) | toml::Value::Datetime(_) => {
            return Err(RestConfigError::new(key, "fractions and dates are written as text, in quotes"));
        }
    })
}

/// A map for templates.
pub trait FromIterMap {
    fn from_iter_map(entries: Vec<(String, Value)>) -> Self;
}

impl FromIterMap for Value {
    fn from_iter_map(entries: Vec<(String, Value)>) -> Self {
        Value::from(entries.into_iter().collect::<std::collections::BTreeMap<String, Value>>())
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn render(place: Place, source: &str, context: Value) -> Result<String, ErpError> {
        let mut templates = Templates::default();
        let template = templates.add("prices.request.body", place, source).unwrap();
        templates.render(&template, &context)
    }

    #[test]
    fn a_hostile_sku_stays_a_string_of_the_body() {
        for sku in ["A\"B", "back\\slash", "\"], \"admin\": [\"", "é ☃ \u{1F600}", "a\u{2028}b", "{{ secret }}"] {
            let body =
                render(Place::Json, r#"{"sku": {{ sku }}, "again": {{ sku | json }}}"#, context! { sku }).unwrap();
            let read: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(read["sku"], sku);
            assert_eq!(read["again"], sku);
        }
    }

    #[test]
    fn values_become_json_of_their_kind() {
        let body = render(
            Place::Json,
            r#"[{{ none }}, {{ yes }}, {{ count }}, {{ list }}, {{ quantity | number }}, {{ quantity }}]"#,
            context! { none => (), yes => true, count => 3, list => ["a", "b"], quantity => "100.50" },
        );
        assert_eq!(body.unwrap(), r#"[null, true, 3, ["a","b"], 100.50, "100.50"]"#);
    }

    #[test]
    fn only_plain_decimals_pass_as_numbers() {
        for bad in ["", "1,5", "1e5", "0x1", "007", "1 }", "NaN", "--1", "."] {
            assert!(render(Place::Json, "{{ q | number }}", context! { q => bad }).is_err(), "{bad:?}");
        }
        assert!(render(Place::Json, "{{ 1 / 3 }}", context! {}).is_err());
        let long = "123456789012345678.123456789";
        assert_eq!(render(Place::Json, "{{ q | number }}", context! { q => long }).unwrap(), long);
    }

    #[test]
    fn a_value_stays_one_segment_of_a_path() {
        let path = |sku: &str| render(Place::Path, "/items/{{ sku }}/price", context! { sku });
        assert_eq!(path("a/b?c=d#e f").unwrap(), "/items/a%2Fb%3Fc%3Dd%23e%20f/price");
        assert!(path("..").is_err());
        assert!(path("").is_err());
    }

    #[test]
    fn encodings() {
        let text = |source: &str| render(Place::Text, source, context! { v => "a:b?>" }).unwrap();
        assert_eq!(text("{{ v | b64 }} {{ v | b64url }} {{ v | urlencode }}"), "YTpiPz4= YTpiPz4 a%3Ab%3F%3E");
        assert_eq!(text(r#"{% set c %}{"x": {{ v | json }}}{% endset %}{{ c | b64url }}"#), "eyJ4IjogImE6Yj8-In0");
    }

    #[test]
    fn a_missing_value_is_an_error_that_names_the_key() {
        let error = render(
            Place::Json,
            "{{ lookup.units[unit] }}",
            context! { unit => "x", lookup => context! { units => context! {} } },
        );
        assert!(error.unwrap_err().to_string().contains("prices.request.body line 1"));
        assert!(render(Place::Json, "{{ nothing | json }}", context! {}).is_err());
        assert!(render(Place::Text, "{{ customer }}", context! { customer => () }).is_err());
    }

    #[test]
    fn an_endless_template_runs_out_of_fuel() {
        let source = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(matches!(render(Place::Text, source, context! {}), Err(ErpError::Unprepared(_))));
    }

    #[test]
    fn the_lookups_of_a_template_are_known() {
        let mut templates = Templates::default();
        let template = templates
            .add("k", Place::Json, "{% if unit %}{{ lookup.units[unit] }}{% endif %}{{ lookup.currencies[currency] }}")
            .unwrap();
        assert_eq!(template.lookups.iter().collect::<Vec<_>>(), ["currencies", "units"]);
        assert!(templates.add("broken", Place::Json, "{{ oh").unwrap_err().to_string().starts_with("broken: "));
    }
}
