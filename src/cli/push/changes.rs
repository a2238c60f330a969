//! Changes: in requests of some, each sent until it is answered, going on where the gateway says it is.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use anyhow::{anyhow, bail};

use super::PushArgs;
use super::file::{Changes, File, Filling, Line};
use super::gateway::{Gateway, Original, Pushed, Source, Trouble};
use super::progress::Progress;
use crate::cli::load::grouped;
use crate::clock::Clock;
use crate::domain::change::Measure;

/// One request. Bytes.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Waits between tries, where the gateway does not say; each as long again as the one before.
const WAIT: Duration = Duration::from_millis(500);
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// What became of all of it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    read: u64,
    applied: u64,
    known: u64,
    out_of_date: u64,
    not_taken: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} applied", grouped(self.applied))?;
        for (count, what) in
            [(self.known, "known before"), (self.out_of_date, "out of date"), (self.not_taken, "not taken")]
        {
            if count > 0 {
                write!(f, ", {} {what}", grouped(count))?;
            }
        }
        Ok(())
    }
}

/// Whether all of it is taken.
pub async fn push(args: &PushArgs, gateway: &Gateway, file: &File) -> anyhow::Result<bool> {
    let one = |names: &[String]| if let [one] = names { Some(one.clone()) } else { None };
    let filling = Filling {
        kind: args.kind.as_str(),
        location: one(&args.locations),
        measure: if let [one] = args.measures[..] { Some(Measure::as_str(one)) } else { None },
        effective_at: args.effective_at.unwrap_or(file.written).to_string(),
    };
    let changes = file.changes(&filling)?;
    let source = gateway.source(&args.source).await.map_err(|trouble| anyhow!("{trouble}"))?;
    let mut push = Push {
        args,
        gateway,
        file,
        changes,
        ready: VecDeque::new(),
        known_to: known_to(args, &source),
        last_sequence: source.last_sequence,
        skipped: None,
        undecided: Vec::new(),
        tally: Tally::default(),
        progress: Progress::new(),
    };
    push.run().await?;
    let Push { tally, last_sequence, progress, .. } = push;
    let unnamed = progress.unnamed();
    drop(progress);
    if unnamed > 0 {
        eprintln!("and {} more that were not taken", grouped(unnamed));
    }
    let at = if last_sequence > 0 { format!("; {} is at {last_sequence}", args.source) } else { String::new() };
    let s = if tally.read == 1 { "" } else { "s" };
    println!("{} change{s} of {}: {tally}{at}", grouped(tally.read), file.path.display());
    Ok(tally.not_taken == 0)
}

/// Numbers up to here were judged.
fn known_to(args: &PushArgs, source: &Source) -> u64 {
    if source.epoch == args.epoch { source.last_sequence } else { 0 }
}

struct Push<'a> {
    args: &'a PushArgs,
    gateway: &'a Gateway,
    file: &'a File,
    changes: Changes<'a>,
    /// Read, and not answered yet.
    ready: VecDeque<Line>,
    known_to: u64,
    last_sequence: u64,
    /// The last that was judged before, and is not sent: it goes before the first that is, to see whether it is the same.
    skipped: Option<Line>,
    /// Those after it whose number cannot be read, before it is seen whether the next is known.
    undecided: Vec<Line>,
    tally: Tally,
    progress: Progress,
}

impl Push<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        while self.gather()? {
            let answer = self.send().await?;
            self.last_sequence = answer.last_sequence;
            self.note(answer)?;
            self.progress.show(self.tally.read, self.file.rows, &self.tally.to_string());
        }
        Ok(())
    }

    /// Reads as much as goes into one request.
    fn gather(&mut self) -> anyhow::Result<bool> {
        let mut bytes = 0;
        while self.ready.len() < self.args.batch as usize && bytes < REQUEST_BYTES_MAX {
            let Some(line) = self.changes.next()? else {
                self.send_held_back();
                break;
            };
            self.tally.read += 1;
            if self.is_known(&line) {
                // So are those before it: numbers come in their order.
                let before = self.undecided.drain(..).count() + usize::from(self.skipped.is_some());
                self.tally.known += before as u64;
                self.skipped = Some(line);
                continue;
            }
            if line.is_lost && self.ready.is_empty() && self.known_to > 0 && self.undecided.len() < self.undecided_max()
            {
                self.undecided.push(line);
                continue;
            }
            bytes += self.send_held_back();
            bytes += line.json.len();
            self.ready.push_back(line);
        }
        Ok(!self.ready.is_empty())
    }

    fn is_known(&self, line: &Line) -> bool {
        line.sequence.is_some_and(|sequence| sequence <= self.known_to)
    }

    /// So that they fit into one request, with one before and one after.
    fn undecided_max(&self) -> usize {
        (self.args.batch as usize).saturating_sub(2).max(1)
    }

    /// What was held back goes first. How many bytes that is.
    fn send_held_back(&mut self) -> usize {
        let before = self.ready.len();
        self.ready.extend(self.skipped.take());
        self.ready.extend(self.undecided.drain(..));
        self.ready.range(before..).map(|line| line.json.len()).sum()
    }

    /// Sends what is ready until it is answered. It may have been taken all the same each time, and is known then.
    async fn send(&mut self) -> anyhow::Result<Pushed> {
        let clock = Clock::system();
        let (begun, mut wait) = (clock.mono(), WAIT);
        loop {
            let mut body = String::new();
            for line in &self.ready {
                body.push_str(&line.json);
                body.push('\n');
            }
            let trouble = match self.gateway.push(&self.args.source, &self.args.epoch, body).await {
                Ok(answer) if answer.results.len() == self.ready.len() => return Ok(answer),
                Ok(_) => bail!("the gateway answers for other changes than it was sent"),
                Err(trouble) => trouble,
            };
            let Trouble::Later { why, after } = trouble else { bail!("{}: {trouble}", self.place()) };
            let waited = clock.mono().since(begun);
            if waited >= self.args.patience {
                bail!("{}: given up after {} s: {why}", self.place(), waited.as_secs());
            }
            let pause = after.unwrap_or(wait).min(WAIT_MAX);
            self.progress.say(format_args!("{why}; trying again in {:.1} s", pause.as_secs_f32()));
            tokio::time::sleep(pause).await;
            wait *= 2;
            if let Ok(source) = self.gateway.source(&self.args.source).await {
                self.go_on(known_to(self.args, &source));
                if self.ready.is_empty() {
                    return Ok(Pushed { last_sequence: source.last_sequence, ..Pushed::default() });
                }
            }
        }
    }

    /// What was judged without our hearing of it need not be sent again.
    fn go_on(&mut self, known_to: u64) {
        self.known_to = self.known_to.max(known_to);
        let mut last = None;
        loop {
            let lost = self.ready.iter().take_while(|line| line.is_lost).count();
            let is_known = self.ready.get(lost).is_some_and(|line| self.is_known(line));
            if !is_known {
                // Whose number cannot be read has it from its neighbours.
                let (needed, last) = (lost > 0, last.take());
                if let Some(last) = last.filter(|_| needed) {
                    self.ready.push_front(last);
                    self.tally.known -= 1;
                }
                return;
            }
            last = self.ready.drain(..=lost).next_back();
            self.tally.known += lost as u64 + 1;
        }
    }

    fn note(&mut self, answer: Pushed) -> anyhow::Result<()> {
        for (line, said) in self.ready.drain(..).zip(answer.results) {
            match said.verdict.as_str() {
                "APPLIED" => self.tally.applied += 1,
                "DUPLICATE" if matches!(&*said.original.verdict, "REJECTED" | "CONFLICT") => {
                    self.tally.not_taken += 1;
                    let Original { verdict, reason } = said.original;
                    self.progress.name(format_args!("line {}: {verdict} {reason}, when it came before", line.number));
                }
                "DUPLICATE" => self.tally.known += 1,
                "OUT_OF_DATE" => self.tally.out_of_date += 1,
                "GAP" => {
                    let expected = said.expected_sequence.unwrap_or_default();
                    bail!(
                        "line {}: changes from {expected} on are missing before it. Send those first; or give them up with POST \
                         /v1/stock/sources:skip; or push a snapshot. Taken up to there: {}",
                        line.number,
                        self.tally
                    );
                }
                verdict => {
                    self.tally.not_taken += 1;
                    let detail = without_place(&said.detail);
                    self.progress.name(format_args!("line {}: {verdict} {}: {detail}", line.number, said.reason));
                }
            }
        }
        Ok(())
    }

    fn place(&self) -> String {
        match (self.ready.front(), self.ready.back()) {
            (Some(first), Some(last)) => format!("lines {} to {}", first.number, last.number),
            _ => self.file.path.display().to_string(),
        }
    }
}

/// The gateway counts lines of the request.
pub fn without_place(detail: &str) -> &str {
    let rest = detail.strip_prefix("line ").map(|rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(detail)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Args {
        #[command(flatten)]
        push: PushArgs,
    }

    /// What a push of these lines gathers at first, where the source is known up to there; how many are known; and what is left
    /// of it once the source turns out to be further.
    fn gathered(lines: &[&str], batch: &str, known_to: u64, then: u64) -> (Vec<u64>, u64, Vec<u64>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let args = ["push", path.to_str().unwrap(), "--source", "wms", "--batch", batch];
        let Args { push: args } = Args::parse_from(args);
        let gateway = Gateway::new(&args.target).unwrap();
        let file = File::open(&path, None).unwrap();
        let filling =
            Filling { kind: "SET", location: None, measure: None, effective_at: "2026-11-25T10:00:00Z".into() };
        let mut push = Push {
            args: &args,
            gateway: &gateway,
            file: &file,
            changes: file.changes(&filling).unwrap(),
            ready: VecDeque::new(),
            known_to,
            last_sequence: known_to,
            skipped: None,
            undecided: Vec::new(),
            tally: Tally::default(),
            progress: Progress::new(),
        };
        push.gather().unwrap();
        let ready = |push: &Push<'_>| push.ready.iter().map(|line| line.number).collect::<Vec<_>>();
        let (first, known) = (ready(&push), push.tally.known);
        push.go_on(then);
        (first, known, ready(&push), push.tally.known)
    }

    const ONE: &str = r#"{"sequence":"1"}"#;
    const THREE: &str = r#"{"sequence":"3"}"#;
    const FOUR: &str = r#"{"sequence":"4"}"#;
    const SIX: &str = r#"{"sequence":"6"}"#;
    const NAMED: &str = r#"{"eventId":"e"}"#;

    #[test]
    fn a_line_whose_number_cannot_be_read_is_known_when_the_next_is() {
        let file = [ONE, "broken", THREE, FOUR, "broken", SIX];
        // All of it was sent before: the last says whether it was the same.
        assert_eq!(gathered(&file, "1000", 6, 6), (vec![6], 5, vec![], 6));
        // It stays between its neighbours.
        assert_eq!(gathered(&file, "1000", 4, 6), (vec![4, 5, 6], 3, vec![], 6));
        assert_eq!(gathered(&file, "1000", 4, 4), (vec![4, 5, 6], 3, vec![4, 5, 6], 3));
        assert_eq!(gathered(&file, "1000", 2, 4), (vec![1, 2, 3, 4, 5, 6], 0, vec![4, 5, 6], 3));
        assert_eq!(gathered(&file, "1000", 0, 3), (vec![1, 2, 3, 4, 5, 6], 0, vec![4, 5, 6], 3));
        // At the end nothing says.
        assert_eq!(gathered(&file[..5], "1000", 4, 4), (vec![4, 5], 3, vec![4, 5], 3));
        let rubbish = [ONE, "x", "x", "x", "x", "x", SIX];
        assert_eq!(gathered(&rubbish, "4", 6, 1).0, [1, 2, 3, 4], "a request has its bound");
    }

    #[test]
    fn a_change_that_has_no_number_is_sent_whatever_comes_after_it() {
        assert_eq!(gathered(&[ONE, NAMED, THREE, FOUR], "1000", 4, 4), (vec![1, 2, 4], 1, vec![2, 4], 2));
    }
}
