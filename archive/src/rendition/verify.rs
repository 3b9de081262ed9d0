//! Renditions re-read and re-hashed. What is wrong with one costs nothing but the making of it again.

use sha2::{Digest, Sha256};

use super::{PREFIX, Rendition, directory};
use crate::objects::Listed;
use crate::reader::Reader;
use crate::{Error, FrameTable, Result};

/// What to do about any of them.
const NEXT_STEP: &str = "nothing is lost; make it again with tsunagu renditions make --remake";

/// Reads every rendition; answers how many there are, and names in `find` those that are not as written or whose source
/// is not held.
pub(crate) async fn verify(reader: &Reader, find: &mut (dyn FnMut(String, String) + Send)) -> Result<u64> {
    let mut count = 0;
    for Listed { key, .. } in reader.objects().list(PREFIX).await? {
        let renditions = match directory::read(reader.objects(), &key).await {
            Ok(renditions) => renditions,
            Err(error) => {
                find(key, format!("{error}; {NEXT_STEP}"));
                continue;
            }
        };
        for rendition in renditions {
            count += 1;
            if let Err(error) = check(reader, &rendition).await {
                find(format!("{key}, {}", rendition.dcm.name), format!("{error}; {NEXT_STEP}"));
            }
        }
    }
    Ok(count)
}

async fn check(reader: &Reader, rendition: &Rendition) -> Result<()> {
    let part10 = reader.read_rendition(rendition, None).await?;
    let digest = tokio::task::spawn_blocking(move || crate::hex(&Sha256::digest(&part10))).await;
    if digest.ok().as_ref() != Some(&rendition.sha256) {
        return Err(Error::damaged("it", "its bytes have another SHA-256 than was written down"));
    }
    let FrameTable { frames } = reader.rendition_frames(rendition).await?;
    if frames.iter().any(|frame| frame.offset.saturating_add(frame.length) > rendition.part10_bytes) {
        return Err(Error::damaged("it", "its frame table reaches beyond it"));
    }
    let sources = reader.find_all(&rendition.record.source_sop_instance_uid).await?;
    let held = sources.iter().any(|held| crate::hex(&held.record.digests.file) == rendition.record.source_file);
    if held { Ok(()) } else { Err(Error::NotFound("its source".into())) }
}
