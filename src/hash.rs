//! A hash that means the same in every release.

use rust_decimal::Decimal;

/// A hash that is written down, so it is spelled out here and never changes: words of eight bytes, multiplied in.
#[derive(Clone, Debug)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Hash {
    pub fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 = mixed ^ (mixed >> 29);
    }

    pub fn number(&mut self, number: Option<u64>) {
        self.word(u64::from(number.is_some()));
        self.word(number.unwrap_or_default());
    }

    /// However it is written: 12 is 12.0.
    pub fn decimal(&mut self, decimal: Decimal) {
        let exact = decimal.normalize();
        let digits = exact.mantissa();
        self.word(u64::from(exact.scale()));
        self.word(digits as u64);
        self.word((digits >> 64) as u64);
    }

    pub fn text(&mut self, text: &[u8]) {
        self.word(text.len() as u64);
        for bytes in text.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.word(u64::from_le_bytes(word));
        }
    }

    pub fn get(&self) -> u64 {
        self.0
    }
}
