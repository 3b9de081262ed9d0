//! An index of things that are not held, for measuring searches.

use std::path::Path;

use super::{Place, insert, open_for_writing};
use crate::error::{Error, Result};
use crate::intake::Meta;
use crate::{Description, Digests, Layout, Origin};

/// Adds to the index in `dir` what would be there had these been taken in as one group, each under its number; nothing
/// can be retrieved by it.
///
/// # Errors
/// When it cannot be written.
pub fn fill_index(dir: &Path, taken_in: Vec<(u64, Description, Origin)>) -> Result<()> {
    let layout = Layout::new(dir).map_err(Error::io("finding the archive", dir))?;
    let mut connection = open_for_writing(&layout.index())?;
    let transaction = connection.transaction()?;
    for (sequence, description, origin) in taken_in {
        let meta = Meta { description, origin, digests: Digests::default(), variant: false };
        insert(&transaction, sequence, &meta, 1 << 19, Place::Segment { number: 1, offset: sequence })?;
    }
    transaction.commit()?;
    Ok(())
}
