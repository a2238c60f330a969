//! Writes all there is, some of it after each round.

use super::Working;
use crate::channel::pack::{pack_events, pack_stock};
use crate::channel::store::StoreError;
use crate::journal::pack::Packer;

/// Rows that are written after one round.
const ROWS_AT_ONCE: usize = 4096;

/// What is written next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    channel: usize,
    number: usize,
}

impl Working {
    /// Whether there is more of one to write.
    pub fn write_checkpoint(&mut self) -> Result<bool, StoreError> {
        let Some(progress) = self.checkpoint else {
            if self.store.is_checkpoint_due() {
                self.begin_checkpoint()?;
            }
            return Ok(self.checkpoint.is_some());
        };
        let Some(channel) = self.channels.get(progress.channel) else {
            self.store.end_checkpoint()?;
            self.checkpoint = None;
            return Ok(false);
        };
        let numbers = channel.machine.numbers();
        let to = (progress.number + ROWS_AT_ONCE).min(numbers);
        let events = channel.machine.row_events(progress.number..to);
        if !events.is_empty() {
            let mut out = Packer::default();
            pack_events(&channel.shown.name, events.iter(), &mut out);
            self.store.put_in_checkpoint(&out.0)?;
        }
        self.checkpoint = Some(if to < numbers {
            Progress { number: to, ..progress }
        } else {
            Progress { channel: progress.channel + 1, number: 0 }
        });
        Ok(true)
    }

    fn begin_checkpoint(&mut self) -> Result<(), StoreError> {
        self.store.begin_checkpoint()?;
        for channel in &self.channels {
            let mut out = Packer::default();
            pack_events(&channel.shown.name, channel.machine.own_events().iter(), &mut out);
            self.store.put_in_checkpoint(&out.0)?;
        }
        if let Some(cursor) = &self.stock_kept {
            let mut out = Packer::default();
            pack_stock(cursor, &mut out);
            self.store.put_in_checkpoint(&out.0)?;
        }
        self.checkpoint = Some(Progress::default());
        Ok(())
    }
}
