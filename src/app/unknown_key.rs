//! Reads a TOML table into settings; an error names the whole path of the key, and for an unknown key the nearest known one.

use anyhow::anyhow;
use serde::de::DeserializeOwned;

pub fn deserialize<T: DeserializeOwned>(table: toml::Table) -> anyhow::Result<T> {
    serde_path_to_error::deserialize(table).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().message().to_owned();
        match nearest(&message) {
            Some(name) => anyhow!("{path}: {message}; did you mean `{name}`?"),
            None => anyhow!("{path}: {message}"),
        }
    })
}

/// serde says "unknown field `a`, expected one of `b`, `c`".
fn nearest(message: &str) -> Option<&str> {
    let names = message.strip_prefix("unknown field ")?;
    let mut quoted = names.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    quoted.min_by_key(|known| strsim::damerau_levenshtein(&known.to_lowercase(), &unknown.to_lowercase()))
}
