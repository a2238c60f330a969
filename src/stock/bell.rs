//! Wakes a thread that works on what others bring.

use parking_lot::{Condvar, Mutex};

/// Rung by whoever has something, however often: whoever waits wakes once.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    /// Never waits for anybody: costs a lock that is held for two words.
    pub fn ring(&self) {
        let mut rung = self.rung.lock();
        if !*rung {
            *rung = true;
            self.heard.notify_one();
        }
    }

    /// Until it was rung since the last time somebody waited.
    pub fn wait(&self) {
        let mut rung = self.rung.lock();
        while !*rung {
            self.heard.wait(&mut rung);
        }
        *rung = false;
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_rung(&self) -> bool {
        *self.rung.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn whoever_waits_wakes_once_however_often_it_was_rung() {
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.ring();
        bell.wait();
        assert!(!bell.is_rung());
        let waiting = std::thread::spawn({
            let bell = bell.clone();
            move || bell.wait()
        });
        bell.ring();
        waiting.join().unwrap();
        assert!(!bell.is_rung());
    }
}
