//! Lines of CSV, as people, spreadsheets and old systems write them. A cell is on one line.

use std::borrow::Cow;

/// Without the mark that some spreadsheets begin a file with.
pub fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// What is between the cells of a first line.
pub fn separator(line: &str) -> char {
    [';', '\t', ','].into_iter().find(|character| line.contains(*character)).unwrap_or(',')
}

/// The cells of a line: bare, or in quotes, where a quote is written twice.
pub fn cells(line: &str, separator: char) -> Option<Vec<Cow<'_, str>>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, tail) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (cell, tail) = unquoted(quoted)?;
                (cell, tail)
            }
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        cells.push(cell);
        match tail.strip_prefix(separator) {
            Some(next) => rest = next,
            None if tail.is_empty() => return Some(cells),
            None => return None,
        }
    }
}

fn unquoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut cell = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        let part = &rest[..end];
        if cell.is_empty() {
            cell = Cow::Borrowed(part)
        } else {
            cell.to_mut().push_str(part)
        }
        let tail = &rest[end + 1..];
        match tail.strip_prefix('"') {
            Some(more) => {
                cell.to_mut().push('"');
                rest = more;
            }
            None => return Some((cell, tail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_bare_or_quoted() {
        for (line, expected) in [
            ("a;b;c", Some(vec!["a", "b", "c"])),
            ("a;;", Some(vec!["a", "", ""])),
            ("", Some(vec![""])),
            ("\"a;b\";\"say \"\"so\"\"\"", Some(vec!["a;b", "say \"so\""])),
            ("\"a", None),
            ("\"a\"b", None),
        ] {
            let read = cells(line, ';');
            assert_eq!(read.as_ref().map(|cells| cells.iter().map(|cell| &**cell).collect()), expected, "{line}");
        }
        assert_eq!([separator("a,b;c"), separator("a\tb,c"), separator("a,b"), separator("a")], [';', '\t', ',', ',']);
        assert_eq!(without_mark(b"\xef\xbb\xbfa"), b"a");
    }
}
