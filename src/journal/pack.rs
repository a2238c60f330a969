//! Values as bytes: numbers as they lie in memory (little end first), texts with their length before them.

/// Appends values.
#[derive(Debug, Default)]
pub struct Packer(pub Vec<u8>);

/// Takes them out again. `None`: they are not there, and nothing after can be believed.
#[derive(Clone, Copy, Debug)]
pub struct Unpacker<'a>(pub &'a [u8]);

impl Packer {
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn number(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// In as few bytes as it needs, seven bits each: for numbers that are mostly small, or many.
    pub fn short(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// With its length in as few bytes.
    pub fn name(&mut self, value: &str) {
        self.short(value.len() as u128);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub fn signed(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut put: impl FnMut(&mut Self, T)) {
        self.number(values.len() as u64);
        values.for_each(|value| put(self, value));
    }
}

impl<'a> Unpacker<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub fn number(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }

    pub fn short(&mut self) -> Option<u128> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub fn name(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.short()?).ok()?;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(value).ok()
    }

    pub fn signed(&mut self) -> Option<i64> {
        self.number().map(u64::cast_signed)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.0 = rest;
        Some(value)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn optional<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { take(self).map(Some) } else { Some(None) }
    }

    pub fn list<T>(&mut self, mut take: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| take(self)).collect()
    }
}

/// So that small negative numbers are short as well.
pub fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)).cast_unsigned()
}

pub fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_come_back_and_too_long_ones_are_none() {
        for value in [0, 1, 127, 128, u128::from(u64::MAX), u128::MAX] {
            let mut packer = Packer::default();
            packer.short(value);
            let mut unpacker = Unpacker(&packer.0);
            assert_eq!((unpacker.short(), unpacker.is_empty()), (Some(value), true));
            assert_eq!(Unpacker(&packer.0[..packer.0.len() - 1]).short(), None);
        }
        assert_eq!(Unpacker(&[0xff; 20]).short(), None);
        for value in [0, -1, 1, i128::MAX, i128::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
