//! A file in parts: one goes out as it is, several as an archive of numbered files.
//!
//! Which of the two it is shows when the second part begins, so the first is held until then. Later ones leave as soon as
//! they are whole: what is kept is one part, and a line of the archive's index for each.

use super::zip::{Method, Zip};
use super::{Media, ZIP};

#[derive(Debug)]
pub(super) struct Parts {
    /// Of the parts' names in an archive.
    stem: &'static str,
    extension: &'static str,
    method: Method,
    zip: Zip,
    count: u32,
}

impl Parts {
    pub fn new(stem: &'static str, extension: &'static str, method: Method) -> Self {
        Self { stem, extension, method, zip: Zip::default(), count: 0 }
    }

    /// This part is whole, and another one follows.
    pub fn add(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.count += 1;
        let name = format!("{}-{:05}.{}", self.stem, self.count, self.extension);
        self.zip.add(&name, self.method, part, out);
    }

    /// This was the last. `comment`: of the archive, if it is one.
    pub fn end(&mut self, part: &[u8], comment: &str, out: &mut Vec<u8>) {
        if self.count == 0 {
            out.extend_from_slice(part);
        } else {
            self.add(part, out);
            self.zip.finish(comment, out);
        }
    }

    /// `None`: as a single part is.
    pub fn media(&self) -> Option<Media> {
        (self.count > 0).then_some(ZIP)
    }
}
