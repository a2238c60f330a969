//! Whether a whole file may go out, by what the last good one of the same format held. Pure.
//!
//! A file of a snapshot replaces what the channel shows, or part of it: a catalogue that lost a third of its rows, or turned
//! to zero, over night is more often a mistake than the truth, and the channel believes it within minutes. Files of changes
//! pass unseen: they say what happened.

use super::super::config::Guard;
use crate::mutants::mutant;

/// One file in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    pub rows: u64,
    /// Of them: nothing can be bought.
    pub zeros: u64,
    /// Where it was cut.
    pub watermark: u64,
}

/// Why a file does not go out, with the figures it was judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefused {
    /// Insisting does not help: a newer one was taken meanwhile, and this would undo it.
    #[error("it was cut at {offered}, and one cut at {taken} was taken already")]
    Older { taken: u64, offered: u64 },
    #[error("{now} rows, and the last good one had {before}: more than {percent_max} % fewer")]
    Shrunk { before: u64, now: u64, percent_max: u32 },
    #[error(
        "{now} of {rows} rows at zero, and in the last good one {before} were: more than {percent_max} % of all went to zero"
    )]
    Zeroed { before: u64, now: u64, rows: u64, percent_max: u32 },
}

impl FileRefused {
    pub fn reason(&self) -> &'static str {
        match self {
            FileRefused::Older { .. } => "file_too_old",
            FileRefused::Shrunk { .. } => "too_few_rows",
            FileRefused::Zeroed { .. } => "too_many_zeros",
        }
    }

    /// A file cut now is a newer one. What the others are refused for stays until somebody insists, or it changes back.
    pub fn is_retryable(&self) -> bool {
        matches!(self, FileRefused::Older { .. })
    }
}

/// `last`: the last one that went out whole. `force`: somebody looked at the figures and means it.
pub fn judge(guard: &Guard, last: Option<&FileFacts>, offered: &FileFacts, force: bool) -> Result<(), FileRefused> {
    let Some(last) = last else { return Ok(()) };
    if offered.watermark < last.watermark && !mutant!(OlderFileTaken) {
        return Err(FileRefused::Older { taken: last.watermark, offered: offered.watermark });
    }
    let is_small = last.rows < guard.rows_min && !mutant!(SmallFileGuarded);
    if is_small || (force && !mutant!(ForcedFileGuarded)) {
        return Ok(());
    }
    let fewer = last.rows.saturating_sub(offered.rows);
    if is_more(fewer, guard.shrunk_percent_max, last.rows) && !mutant!(ShrunkFileTaken) {
        let (before, now) = (last.rows, offered.rows);
        return Err(FileRefused::Shrunk { before, now, percent_max: guard.shrunk_percent_max });
    }
    let zeroed = offered.zeros.saturating_sub(last.zeros);
    if is_more(zeroed, guard.zeroed_percent_max, offered.rows) && !mutant!(ZeroedFileTaken) {
        let (before, now, rows) = (last.zeros, offered.zeros, offered.rows);
        return Err(FileRefused::Zeroed { before, now, rows, percent_max: guard.zeroed_percent_max });
    }
    Ok(())
}

/// Whether `part` is more than so many of a hundred of `whole`.
fn is_more(part: u64, percent: u32, whole: u64) -> bool {
    u128::from(part) * 100 > u128::from(percent) * u128::from(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: Guard = Guard { shrunk_percent_max: 20, zeroed_percent_max: 10, rows_min: 20 };

    fn file(rows: u64, zeros: u64, watermark: u64) -> FileFacts {
        FileFacts { rows, zeros, watermark }
    }

    fn judged(last: FileFacts, offered: FileFacts) -> Result<(), FileRefused> {
        judge(&GUARD, Some(&last), &offered, false)
    }

    #[test]
    fn the_first_file_goes_out_whatever_it_holds() {
        assert_eq!(judge(&GUARD, None, &file(0, 0, 1), false), Ok(()));
        assert_eq!(judge(&GUARD, None, &file(1000, 1000, 1), false), Ok(()));
    }

    #[test]
    fn rows_may_shrink_by_the_stated_share_and_no_further() {
        let last = file(1000, 0, 5);
        assert_eq!(judged(last, file(800, 0, 6)), Ok(()));
        let refused = judged(last, file(799, 0, 6));
        assert_eq!(refused, Err(FileRefused::Shrunk { before: 1000, now: 799, percent_max: 20 }));
        assert_eq!(refused.unwrap_err().reason(), "too_few_rows");
        assert!(refused.unwrap_err().to_string().contains("799 rows"), "the figures are said");
        assert_eq!(judged(last, file(5000, 0, 6)), Ok(()), "growing is no reason");
        assert!(judged(last, file(0, 0, 6)).is_err());
    }

    #[test]
    fn rows_may_go_to_zero_by_the_stated_share_of_all_and_no_further() {
        let last = file(1000, 300, 5);
        assert_eq!(judged(last, file(1000, 400, 6)), Ok(()));
        let refused = judged(last, file(1000, 401, 6));
        assert_eq!(refused, Err(FileRefused::Zeroed { before: 300, now: 401, rows: 1000, percent_max: 10 }));
        assert_eq!(refused.unwrap_err().reason(), "too_many_zeros");
        assert_eq!(judged(last, file(1000, 0, 6)), Ok(()), "fewer zeros are no reason");
        assert_eq!(judged(last, file(900, 300, 6)), Ok(()), "nor is a larger share of fewer rows");
    }

    #[test]
    fn what_came_new_at_zero_counts_too() {
        assert!(judged(file(1000, 0, 5), file(2000, 201, 6)).is_err());
        assert_eq!(judged(file(1000, 0, 5), file(2000, 200, 6)), Ok(()));
    }

    #[test]
    fn small_files_are_not_looked_at_and_smaller_ones_of_large_are() {
        assert_eq!(judged(file(19, 0, 5), file(1, 1, 6)), Ok(()));
        assert!(judged(file(20, 0, 5), file(1, 1, 6)).is_err());
    }

    #[test]
    fn who_insists_gets_it() {
        let last = file(1000, 0, 5);
        for offered in [file(1, 0, 6), file(1000, 1000, 6)] {
            assert!(judge(&GUARD, Some(&last), &offered, false).is_err());
            assert_eq!(judge(&GUARD, Some(&last), &offered, true), Ok(()));
        }
    }

    #[test]
    fn an_older_cut_never_follows_a_newer_even_if_insisted_on() {
        let last = file(3, 0, 5);
        for force in [false, true] {
            let refused = judge(&GUARD, Some(&last), &file(3, 0, 4), force);
            assert_eq!(refused, Err(FileRefused::Older { taken: 5, offered: 4 }));
            assert!(refused.unwrap_err().is_retryable());
            assert_eq!(
                judge(&GUARD, Some(&last), &file(3, 0, 5), force),
                Ok(()),
                "the same cut again is the same file"
            );
        }
    }

    #[test]
    fn figures_beyond_measure_do_not_overflow() {
        let last = file(u64::MAX, u64::MAX, 0);
        assert!(judged(last, file(1, 0, u64::MAX)).is_err());
        assert_eq!(judged(last, last), Ok(()));
        let strict = Guard { shrunk_percent_max: 0, zeroed_percent_max: 0, rows_min: 0 };
        assert!(judge(&strict, Some(&file(1, 0, 0)), &file(0, 0, 0), false).is_err());
        let never = Guard { shrunk_percent_max: 100, zeroed_percent_max: 100, rows_min: 0 };
        assert_eq!(judge(&never, Some(&file(9, 0, 0)), &file(0, 0, 0), false), Ok(()));
    }
}
