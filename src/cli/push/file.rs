//! The file: how it is written, how much there is of it, and its changes one by one as the gateway reads them.

use std::borrow::Cow;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};

use crate::hash::Hash;
use crate::human::csv;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Csv,
    Ndjson,
}

/// Columns of a change; a snapshot's are the gateway's to read.
const COLUMNS: [&str; 13] = [
    "sku",
    "location",
    "measure",
    "row",
    "quantity",
    "expectedOn",
    "expiresAt",
    "kind",
    "sequence",
    "after",
    "effectiveAt",
    "eventId",
    "reference",
];

/// A file that was looked through once.
#[derive(Debug)]
pub struct File {
    pub path: PathBuf,
    pub format: Format,
    pub bytes: u64,
    /// Lines that say something, without the columns' names, and without the last of a snapshot that counts them.
    pub rows: u64,
    /// When it was last written.
    pub written: jiff::Timestamp,
    /// Of all that is in it.
    hash: u64,
}

impl File {
    pub fn open(path: &Path, format: Option<Format>) -> anyhow::Result<Self> {
        let name = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let format = match (format, name.to_ascii_lowercase().as_str()) {
            (Some(format), _) => format,
            (None, "csv" | "tsv" | "txt") => Format::Csv,
            (None, "ndjson" | "jsonl" | "json") => Format::Ndjson,
            (None, _) => bail!("its name does not say how it is written: give --format csv or --format ndjson"),
        };
        let file = fs::File::open(path).context("cannot be opened")?;
        let about = file.metadata()?;
        ensure!(about.is_file(), "is not a file");
        let written = jiff::Timestamp::try_from(about.modified()?).context("when it was written")?;
        let (mut hasher, mut rows, mut bytes) = (Hash::default(), 0_u64, 0);
        let (mut reader, mut line, mut last) = (BufReader::new(file), Vec::new(), Vec::new());
        while read(&mut reader, &mut line)? {
            hasher.text(&line);
            bytes += line.len() as u64;
            if !line.trim_ascii().is_empty() {
                rows += 1;
                std::mem::swap(&mut line, &mut last);
            }
        }
        let counts = format == Format::Csv || says_how_many(&last);
        Ok(Self {
            path: path.to_owned(),
            format,
            bytes,
            rows: rows.saturating_sub(u64::from(counts)),
            written,
            hash: hasher.get(),
        })
    }

    /// Its changes, with what they leave out filled in.
    pub fn changes<'f>(&self, filling: &'f Filling) -> anyhow::Result<Changes<'f>> {
        let file = fs::File::open(&self.path).context("cannot be opened")?;
        let mut hasher = Hash::default();
        hasher.word(self.hash);
        hasher.text(filling.effective_at.as_bytes());
        Ok(Changes {
            reader: BufReader::new(file),
            number: 0,
            columns: None,
            format: self.format,
            // Another time of the same file is another event.
            name: format!("{:016x}", hasher.get()),
            filling,
        })
    }
}

fn read(reader: &mut BufReader<fs::File>, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    line.clear();
    Ok(reader.read_until(b'\n', line).context("cannot be read")? > 0)
}

/// The last line of a snapshot may be `{"rows": "3"}`.
fn says_how_many(line: &[u8]) -> bool {
    let read: Option<Map<String, Value>> = serde_json::from_slice(line).ok();
    read.is_some_and(|object| object.len() == 1 && object.contains_key("rows"))
}

/// What changes are told that do not say it themselves.
#[derive(Clone, Debug)]
pub struct Filling {
    pub kind: &'static str,
    pub location: Option<String>,
    pub measure: Option<&'static str>,
    /// For those without numbers.
    pub effective_at: String,
}

/// One change as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its line in the file, from 1.
    pub number: u64,
    pub sequence: Option<u64>,
    /// It may have a number, and that cannot be read.
    pub is_lost: bool,
    pub json: String,
}

/// Goes through a file of changes.
pub struct Changes<'f> {
    reader: BufReader<fs::File>,
    number: u64,
    columns: Option<(char, Vec<&'static str>)>,
    format: Format,
    /// Of the file, for its changes that have none.
    name: String,
    filling: &'f Filling,
}

impl Changes<'_> {
    pub fn next(&mut self) -> anyhow::Result<Option<Line>> {
        let mut line = Vec::new();
        loop {
            if !read(&mut self.reader, &mut line)? {
                return Ok(None);
            }
            self.number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let text = std::str::from_utf8(csv::without_mark(&line));
            let text = text.with_context(|| format!("line {} is not UTF-8", self.number))?;
            let text = text.trim_end_matches(['\r', '\n']);
            match (self.format, &self.columns) {
                (Format::Ndjson, _) => return Ok(Some(self.object(text.trim()))),
                (Format::Csv, None) => self.columns = Some(columns(text)?),
                (Format::Csv, Some((separator, columns))) => {
                    let line = self.row(text, *separator, columns);
                    return line.map(Some).with_context(|| format!("line {}", self.number));
                }
            }
        }
    }

    /// What cannot be read is passed on: the gateway says what is wrong with it, and takes its number.
    fn object(&self, text: &str) -> Line {
        let number = self.number;
        let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(text) else {
            return Line { number, sequence: None, is_lost: true, json: text.to_owned() };
        };
        let told = object.get("sequence").filter(|told| !told.is_null());
        let sequence = match told {
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        let is_lost = told.is_some() && sequence.is_none();
        // As it is written, unless something is missing: a field that is there twice must be seen to be.
        let json = if self.fill(&mut object) { Value::Object(object).to_string() } else { text.to_owned() };
        Line { number, sequence, is_lost, json }
    }

    fn row(&self, text: &str, separator: char, columns: &[&'static str]) -> anyhow::Result<Line> {
        let cells = csv::cells(text, separator).context("a quote is not closed, or something follows it")?;
        ensure!(cells.len() == columns.len(), "it has {} cells, and there are {} columns", cells.len(), columns.len());
        let told = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let mut object: Map<String, Value> =
            told.map(|(column, cell)| ((*column).to_owned(), Value::String(Cow::into_owned(cell)))).collect();
        let told = object.get("sequence").and_then(Value::as_str);
        let sequence = told.and_then(|digits| digits.parse().ok());
        let is_lost = told.is_some() && sequence.is_none();
        self.fill(&mut object);
        Ok(Line { number: self.number, sequence, is_lost, json: Value::Object(object).to_string() })
    }

    /// Whether anything was missing.
    fn fill(&self, object: &mut Map<String, Value>) -> bool {
        let Filling { kind, location, measure, effective_at } = self.filling;
        let has = |name: &str, other: &str| object.contains_key(name) || object.contains_key(other);
        let mut missing = Vec::new();
        if !has("kind", "kind") {
            missing.push(("kind", (*kind).to_owned()));
        }
        if let (Some(location), false) = (location, has("location", "location")) {
            missing.push(("location", location.clone()));
        }
        if let (Some(measure), false) = (measure, has("measure", "measure")) {
            missing.push(("measure", (*measure).to_owned()));
        }
        if !has("sequence", "sequence") {
            if !has("effectiveAt", "effective_at") {
                missing.push(("effectiveAt", effective_at.clone()));
            }
            if !has("eventId", "event_id") {
                missing.push(("eventId", format!("{}-{}", self.name, self.number)));
            }
        }
        let any = !missing.is_empty();
        object.extend(missing.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))));
        any
    }
}

/// The columns of a first line, and what is between them.
fn columns(text: &str) -> anyhow::Result<(char, Vec<&'static str>)> {
    let separator = csv::separator(text);
    let names = csv::cells(text, separator).context("line 1: a quote is not closed")?;
    let mut columns: Vec<&'static str> = Vec::with_capacity(names.len());
    for name in names {
        let known = COLUMNS.into_iter().find(|column| *column == name || snake(column) == *name);
        let Some(column) = known else {
            let nearest = COLUMNS
                .into_iter()
                .max_by(|one, other| strsim::jaro_winkler(one, &name).total_cmp(&strsim::jaro_winkler(other, &name)));
            bail!(
                "line 1: there is no column {name:?}; is it {:?}? (comptoir push --help)",
                nearest.unwrap_or_default()
            );
        };
        ensure!(!columns.contains(&column), "line 1: the column {column} is there twice");
        columns.push(column);
    }
    for due in ["sku", "quantity"] {
        ensure!(columns.contains(&due), "line 1: the column {due} is missing: the first line names the columns");
    }
    Ok((separator, columns))
}

fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(name: &str, text: &str, filling: &Filling) -> anyhow::Result<(u64, Vec<Line>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let file = File::open(&path, None)?;
        let mut changes = file.changes(filling)?;
        let mut lines = Vec::new();
        while let Some(line) = changes.next()? {
            lines.push(line);
        }
        Ok((file.rows, lines))
    }

    fn filling() -> Filling {
        Filling {
            kind: "SET",
            location: Some("PARIS".into()),
            measure: Some("ON_HAND"),
            effective_at: "2026-11-25T10:00:00Z".into(),
        }
    }

    fn json(line: &Line) -> Value {
        serde_json::from_str(&line.json).unwrap()
    }

    #[test]
    fn rows_of_csv_become_changes() {
        let text =
            "\u{feff}sequence;sku;quantity;expected_on;location\r\n7;\"A;1\";12;;\r\n\r\n8;B;-0.5;2026-12-01;LYON\r\n";
        let (rows, lines) = read_all("a.csv", text, &filling()).unwrap();
        assert_eq!((rows, lines.len()), (2, 2));
        assert_eq!((lines[0].number, lines[0].sequence, lines[1].number, lines[1].sequence), (2, Some(7), 4, Some(8)));
        let first = serde_json::json!({ "sequence": "7", "sku": "A;1", "quantity": "12", "kind": "SET", "location": "PARIS",
            "measure": "ON_HAND" });
        assert_eq!(json(&lines[0]), first);
        assert_eq!(
            (&json(&lines[1])["location"], &json(&lines[1])["expectedOn"]),
            (&"LYON".into(), &"2026-12-01".into())
        );
    }

    #[test]
    fn a_change_without_a_number_is_named_by_the_file_and_its_line() {
        let read = |at: &str, text: &str| {
            let filling = Filling { effective_at: at.into(), ..filling() };
            let lines = read_all("a.csv", text, &filling).unwrap().1;
            lines.iter().map(|line| json(line)["eventId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (noon, one) = ("2026-11-25T12:00:00Z", "2026-11-25T13:00:00Z");
        let text = "sku,quantity\nA,1\nA,1\n";
        let names = read(noon, text);
        assert_ne!(names[0], names[1]);
        assert_eq!(names[0], "35acdc8ec75c5b6b-2", "whatever the release: a gateway may know it from the one before");
        assert_eq!(names, read(noon, text), "sent again");
        assert_ne!(names, read(one, text));
        assert_ne!(names, read(noon, "sku,quantity\nA,1\nA,2\n"));
    }

    #[test]
    fn what_a_line_says_stays_as_it_is() {
        let whole =
            r#"{"sequence":"1","kind":"ADD","sku":"A","sku":"B","location":"P","measure":"RESERVED","quantity":"1"}"#;
        let text = format!("{whole}\nbroken\n{{\"sequence\":2,\"sku\":\"A\",\"quantity\":1.50}}\n");
        let (rows, lines) = read_all("a.ndjson", &text, &filling()).unwrap();
        assert_eq!(rows, 3);
        assert_eq!((lines[0].json.as_str(), lines[0].sequence), (whole, Some(1)));
        assert_eq!((lines[1].json.as_str(), lines[1].sequence), ("broken", None));
        assert_eq!(lines[2].sequence, Some(2));
        assert_eq!([0, 1, 2].map(|index: usize| lines[index].is_lost), [false, true, false]);
        let (_, cells) = read_all("a.csv", "sequence,sku,quantity\nx,A,1\n,A,1\n", &filling()).unwrap();
        assert_eq!([0, 1].map(|index: usize| cells[index].is_lost), [true, false], "a change may have no number");
        assert!(lines[2].json.contains("1.50"), "digits stay: {}", lines[2].json);
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (name, text, names) in [
            ("a.xls", "", "--format"),
            ("a.csv", "sku,amount\n", "quantity"),
            ("a.csv", "sku,quantity,qantity\n", "is it \"quantity\""),
            ("a.csv", "sku,quantity,sku\n", "twice"),
            ("a.csv", "sku,location\n", "quantity is missing"),
            ("a.csv", "sku,quantity\nA,1\nB\n", "line 3"),
            ("a.csv", "sku,quantity\n\"A,1\n", "line 2"),
        ] {
            let error = format!("{:#}", read_all(name, text, &filling()).unwrap_err());
            assert!(error.contains(names), "{text}: {error}");
        }
        let counted = "{\"sku\":\"A\",\"quantity\":\"1\"}\n{\"rows\":\"1\"}\n\n";
        assert_eq!(read_all("a.jsonl", counted, &filling()).unwrap().0, 1, "the last counts the others");
    }
}
