//! Stable words that come back from the disk. In memory they are constants of the code; those that another release wrote are
//! kept once each, and only so many: there are a few dozen.

use parking_lot::Mutex;

const WORDS_MAX: usize = 1024;

static WORDS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The word for as long as the process lives.
pub fn word(text: &str) -> &'static str {
    let mut words = WORDS.lock();
    match words.binary_search_by(|known| (*known).cmp(text)) {
        Ok(at) => words[at],
        Err(_) if words.len() >= WORDS_MAX => "unknown",
        Err(at) => {
            let word: &'static str = Box::leak(text.into());
            words.insert(at, word);
            word
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once() {
        let one = word(&String::from("price_held"));
        assert_eq!(one, "price_held");
        assert!(std::ptr::eq(one, word(&format!("price_{}", "held"))));
    }
}
