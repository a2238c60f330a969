//! What an answer means, apart from what its HTTP status claims.
//!
//! The preset's rules come first, in order; then the status speaks. Pure.

use super::condition::{says_something, text_of};
use super::config::{ErrorKind, ErrorRuleConfig, RestConfigError};
use super::field::clip;
use super::http::Body;
use super::selector::{Row, Selector};

/// What to make of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Bad(ErrorKind, String),
}

#[derive(Clone, Debug)]
struct Rule {
    kind: ErrorKind,
    statuses: Vec<StatusTest>,
    at: Option<Selector>,
    is: Option<Vec<String>>,
    contains: Option<Vec<String>>,
    body_contains: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum StatusTest {
    Exactly(u16),
    /// 5 is 500 to 599.
    Class(u16),
}

/// A preset's compiled rules.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

impl Rules {
    pub fn compile(configs: &[ErrorRuleConfig]) -> Result<Self, RestConfigError> {
        configs
            .iter()
            .enumerate()
            .map(|(index, config)| {
                let key = |name: &str| format!("errors[{index}].{name}");
                if config.at.is_none() && (config.is.is_some() || config.contains.is_some()) {
                    return Err(RestConfigError::new(key("at"), "`is` and `contains` need it"));
                }
                if config.status.is_empty() && config.at.is_none() && config.body_contains.is_none() {
                    return Err(RestConfigError::new(format!("errors[{index}]"), "tests nothing"));
                }
                Ok(Rule {
                    kind: config.kind,
                    statuses: config
                        .status
                        .iter()
                        .map(|text| {
                            read_status(text).ok_or_else(|| {
                                RestConfigError::new(
                                    key("status"),
                                    format!("{text:?} is neither a status nor a class such as \"5xx\""),
                                )
                            })
                        })
                        .collect::<Result<_, _>>()?,
                    at: config.at.as_deref().map(|text| Selector::compile(&key("at"), text)).transpose()?,
                    is: config.is.clone(),
                    contains: config.contains.clone(),
                    body_contains: config.body_contains.clone(),
                })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    pub fn judge(&self, status: u16, body: &Body) -> Verdict {
        for rule in &self.0 {
            if let Some(said) = rule.applies(status, body) {
                return match rule.kind {
                    ErrorKind::Fine => Verdict::Good,
                    kind => Verdict::Bad(kind, format!("HTTP {status}{said}")),
                };
            }
        }
        let kind = match status {
            200..=299 => return Verdict::Good,
            401 => ErrorKind::Expired,
            429 | 503 => ErrorKind::Busy,
            502 => ErrorKind::Unreachable,
            _ => ErrorKind::Refused,
        };
        let begin = &body.bytes()[..body.bytes().len().min(500)];
        Verdict::Bad(kind, format!("HTTP {status}: {}", clip(&String::from_utf8_lossy(begin))))
    }
}

impl Rule {
    /// What the answer said, if the rule fits.
    fn applies(&self, status: u16, body: &Body) -> Option<String> {
        let status_fits = self.statuses.is_empty()
            || self.statuses.iter().any(|test| match *test {
                StatusTest::Exactly(exactly) => exactly == status,
                StatusTest::Class(class) => class == status / 100,
            });
        if !status_fits {
            return None;
        }
        if let Some(part) = &self.body_contains
            && !contains(body.bytes(), part.as_bytes())
        {
            return None;
        }
        let Some(at) = &self.at else { return Some(String::new()) };
        at.all(Row::new(body.document()?.root()))
            .filter(|&node| match (&self.is, &self.contains) {
                (None, None) => says_something(node),
                (is, parts) => {
                    let text = text_of(node);
                    is.as_ref().is_none_or(|is| is.iter().any(|one| *one == text))
                        && parts.as_ref().is_none_or(|parts| parts.iter().any(|part| text.contains(part.as_str())))
                }
            })
            .map(|node| format!(": {}", clip(&text_of(node))))
            .next()
    }
}

fn read_status(text: &str) -> Option<StatusTest> {
    match text.strip_suffix("xx") {
        Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(StatusTest::Class),
        None => text.parse().ok().filter(|status| (100..=599).contains(status)).map(StatusTest::Exactly),
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && body.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rules: &str, status: u16, body: &str) -> Verdict {
        #[derive(serde::Deserialize)]
        struct File {
            errors: Vec<ErrorRuleConfig>,
        }
        let rules = Rules::compile(&toml::from_str::<File>(rules).unwrap().errors).unwrap();
        rules.judge(status, &Body::read(body.into()))
    }

    fn kind(verdict: Verdict) -> Option<ErrorKind> {
        match verdict {
            Verdict::Good => None,
            Verdict::Bad(kind, _) => Some(kind),
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides_whatever_the_status_says() {
        let rules = r#"
            errors = [
                { kind = "expired", at = "$.error.code", is = ["40", "session"] },
                { kind = "busy", at = "$.error.message", contains = ["too many", "locked"] },
                { kind = "busy", status = ["500"], body_contains = "No web services accepted" },
                { kind = "refused", at = "$.error" },
                { kind = "fine", status = ["404"], at = "$.lines" },
                { kind = "unreachable", status = ["52x", "504"] },
            ]"#
        .replace("52x", "598");
        for (status, body, want) in [
            (200, r#"{"error": {"code": 40}}"#, Some(ErrorKind::Expired)),
            (200, r#"{"error": {"message": "record locked by X"}}"#, Some(ErrorKind::Busy)),
            (200, r#"{"error": ["UserError", ""]}"#, Some(ErrorKind::Refused)),
            (200, r#"{"error": null, "result": []}"#, None),
            (200, r#"{"error": false}"#, None),
            (500, "<html>No web services accepted</html>", Some(ErrorKind::Busy)),
            (500, "oops", Some(ErrorKind::Refused)),
            (404, r#"{"lines": [1]}"#, None),
            (504, "", Some(ErrorKind::Unreachable)),
        ] {
            assert_eq!(kind(judge(&rules, status, body)), want, "{status} {body}");
        }
    }

    #[test]
    fn without_rules_the_status_speaks() {
        for (status, want) in [
            (200, None),
            (204, None),
            (302, Some(ErrorKind::Refused)),
            (400, Some(ErrorKind::Refused)),
            (401, Some(ErrorKind::Expired)),
            (429, Some(ErrorKind::Busy)),
            (500, Some(ErrorKind::Refused)),
            (502, Some(ErrorKind::Unreachable)),
            (503, Some(ErrorKind::Busy)),
        ] {
            assert_eq!(kind(judge("errors = []", status, "")), want, "{status}");
        }
    }

    #[test]
    fn a_rule_that_tests_nothing_is_refused() {
        let rule = |text: &str| toml::from_str::<ErrorRuleConfig>(text).unwrap();
        assert!(Rules::compile(&[rule("kind = 'busy'")]).is_err());
        assert!(Rules::compile(&[rule("kind = 'busy'\nstatus = ['5x']")]).is_err());
        let error = Rules::compile(&[rule("kind = 'busy'\nat = '$.['")]).unwrap_err();
        assert_eq!(error.key, "errors[0].at");
    }
}
