//! Figures and texts as bytes.

use std::io::Write as _;

use rust_decimal::Decimal;

pub(super) fn number(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// With the scale it has: `12.30` stays `12.30`. A point, no exponent, no separators.
pub(super) fn decimal(value: Decimal, out: &mut Vec<u8>) {
    let scale = value.scale() as usize;
    let Ok(mantissa) = u64::try_from(value.mantissa().unsigned_abs()) else {
        write!(out, "{value}").expect("memory takes all");
        return;
    };
    if value.is_sign_negative() && mantissa != 0 {
        out.push(b'-');
    }
    let from = out.len();
    number(mantissa, out);
    if scale > 0 {
        // At least one digit before the point.
        let missing = (scale + 1).saturating_sub(out.len() - from);
        out.splice(from..from, std::iter::repeat_n(b'0', missing));
        out.insert(out.len() - scale, b'.');
    }
}

/// A cell as RFC 4180 has it: in quotes if it needs them, a quote written twice. Needs them too with a `;`, which some
/// readers take for the separator.
pub(super) fn cell(text: &str, separator: u8, out: &mut Vec<u8>) {
    let needs_quotes = |byte: u8| byte == separator || matches!(byte, b'"' | b';' | b'\r' | b'\n');
    if text.bytes().any(needs_quotes) {
        quoted_cell(text, out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

pub(super) fn quoted_cell(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// In quotes, escaped as JSON has it.
pub(super) fn json(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes all");
}

/// As it may stand in an attribute of XML. Only what [`is_xml`].
pub(super) fn xml(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&apos;"),
            _ => out.push(byte),
        }
    }
}

/// Whether XML can hold it at all: some characters have no escape.
pub(super) fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_written_as_they_are_displayed() {
        for text in [
            "0",
            "0.00",
            "12",
            "12.30",
            "0.05",
            "-0.05",
            "-3",
            "0.000000001",
            "18446744073709551615",
            "100000000.00",
            "999999999999999999.999999999",
            "-999999999999999999.999999999",
        ] {
            let value: Decimal = text.parse().unwrap();
            assert_eq!(written(|out| decimal(value, out)), value.to_string(), "{text}");
            assert_eq!(written(|out| decimal(value, out)), text);
        }
        assert_eq!(written(|out| number(0, out)), "0");
        assert_eq!(written(|out| number(u64::MAX, out)), u64::MAX.to_string());
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        for (text, want) in [
            ("BOLT-8", "BOLT-8"),
            ("a,b", "\"a,b\""),
            ("a\tb", "a\tb"),
            ("a;b", "\"a;b\""),
            ("5\" pipe", "\"5\"\" pipe\""),
            ("two\nlines", "\"two\nlines\""),
            ("", ""),
        ] {
            assert_eq!(written(|out| cell(text, b',', out)), want);
        }
        assert_eq!(written(|out| cell("a\tb", b'\t', out)), "\"a\tb\"");
    }
}
