//! From a JSON text to the index of its values.

use super::{Entry, Kind, Span};

/// Arrays and objects within each other. As many as `serde_json` reads.
const DEPTH_MAX: u32 = 127;

/// A text while it is read.
pub(super) struct Reader<'t> {
    /// UTF-8.
    pub(super) text: &'t [u8],
    /// Where it stands, and where it stops if something is wrong.
    pub(super) at: usize,
    pub(super) values: Vec<Entry>,
}

type Wrong = &'static str;

impl Reader<'_> {
    /// One value and nothing else.
    pub(super) fn document(&mut self) -> Result<(), Wrong> {
        if u32::try_from(self.text.len()).is_err() {
            return Err("it has 4 GiB or more");
        }
        self.value((Span::default(), false), 0)?;
        self.skip_blanks();
        if self.at < self.text.len() { Err("something follows the value") } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn span_from(&self, start: usize) -> Span {
        // The text is shorter than 4 GiB.
        Span { start: start as u32, end: self.at as u32 }
    }

    fn value(&mut self, (name, name_has_escapes): (Span, bool), depth: u32) -> Result<(), Wrong> {
        self.skip_blanks();
        let (start, index) = (self.at, self.values.len());
        self.values.push(Entry { name, value: Span::default(), next: 0, kind: Kind::Null, name_has_escapes });
        let mut value = None;
        let kind = match self.peek() {
            Some(b'"') => {
                let (inner, has_escapes) = self.string()?;
                value = Some(inner);
                if has_escapes { Kind::TextWithEscapes } else { Kind::Text }
            }
            Some(b'{') if depth < DEPTH_MAX => self.object(depth)?,
            Some(b'[') if depth < DEPTH_MAX => self.array(depth)?,
            Some(b'{' | b'[') => return Err("values are nested too deep"),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'n') => self.word(b"null", Kind::Null)?,
            Some(b't') => self.word(b"true", Kind::True)?,
            Some(b'f') => self.word(b"false", Kind::False)?,
            _ => return Err("a value is missing"),
        };
        let value = value.unwrap_or_else(|| self.span_from(start));
        let next = self.values.len() as u32;
        let entry = &mut self.values[index];
        (entry.value, entry.next, entry.kind) = (value, next, kind);
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<Kind, Wrong> {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Kind::Object);
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err("a member's name is missing");
            }
            let name = self.string()?;
            self.skip_blanks();
            if self.peek() != Some(b':') {
                return Err("a colon is missing");
            }
            self.at += 1;
            self.value(name, depth + 1)?;
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err("a comma or the end of an object is missing"),
            }
        }
        self.at += 1;
        Ok(Kind::Object)
    }

    fn array(&mut self, depth: u32) -> Result<Kind, Wrong> {
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Kind::Array);
        }
        loop {
            self.value((Span::default(), false), depth + 1)?;
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err("a comma or the end of an array is missing"),
            }
        }
        self.at += 1;
        Ok(Kind::Array)
    }

    /// What stands between the quotes, and whether there are escapes in it.
    fn string(&mut self) -> Result<(Span, bool), Wrong> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    // Whatever is escaped does not end the string.
                    self.at += 2;
                }
                Some(0..0x20) => return Err("a string holds a control character"),
                Some(_) => self.at += 1,
                None => return Err("a string does not end"),
            }
        }
        let inner = self.span_from(start);
        self.at += 1;
        if has_escapes && serde_json::from_slice::<String>(&self.text[start - 1..self.at]).is_err() {
            return Err("a string holds a bad escape");
        }
        Ok((inner, has_escapes))
    }

    fn number(&mut self) -> Result<Kind, Wrong> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            // Nothing follows a leading zero but the point or the exponent: a digit is caught by whoever reads on.
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// At least one.
    fn digits(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err("a digit is missing") } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Wrong> {
        if !self.text[self.at..].starts_with(word) {
            return Err("a value is missing");
        }
        self.at += word.len();
        Ok(kind)
    }
}
