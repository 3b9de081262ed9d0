//! Viewing copies: what arrived in a compression that no browser decodes, once more as lossless codestreams.
//!
//! The received file stays what is kept. A lossless recompression is no derivation (PS3.3 C.7.6.1.1.5): the copy has the
//! SOP Instance UID of its source and every attribute, only the transfer syntax and what belongs to it differ. Each frame
//! is decoded again and compared, sample by sample, before the copy is given out.

use rayon::prelude::*;

use crate::assemble::assemble;
use crate::codec;
use crate::data_set::{Limits, Tag, VR};
use crate::error::{Error, Result};
use crate::instance::Instance;

/// A viewing copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewingCopy {
    /// The whole Part 10 file.
    pub part10: Vec<u8>,
    /// Offset and length of each codestream in it.
    pub frames: Vec<(u64, u64)>,
    /// Its Transfer Syntax UID.
    pub transfer_syntax_uid: &'static str,
}

/// Whether instances of this transfer syntax get a viewing copy: RLE, JPEG lossless, JPEG-LS. Baseline JPEG is shown by
/// every browser.
pub fn is_wanted(transfer_syntax_uid: &str) -> bool {
    let short = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.").unwrap_or_default();
    matches!(short, "5" | "4.57" | "4.70" | "4.80" | "4.81")
}

/// Makes the viewing copy of a Part 10 file.
///
/// # Errors
/// In a sentence, what of the file cannot be decoded, or has no lossless codestream of its own (YBR_FULL_422, more than
/// 16 bits): the original is then all there is.
pub fn make(file: &[u8], limits: &Limits) -> Result<ViewingCopy> {
    let instance = Instance::open(file, limits)?;
    let frames = (0..instance.frames()).into_par_iter().map(|index| recompressed(&instance, index));
    let frames: Vec<Vec<u8>> = frames.collect::<Result<_>>()?;
    let mut part10 = instance.part10.clone();
    let photometric = codec::photometric_interpretation(interpretation(&instance));
    part10.data_set.set(Tag(0x0028, 0x0004), VR::CS, photometric);
    if instance.description.samples_per_pixel > 1 {
        part10.data_set.set(Tag(0x0028, 0x0006), VR::US, [0, 0]);
    }
    let transfer_syntax_uid = codec::TRANSFER_SYNTAX_UID;
    let (part10, frames) = assemble(&part10, &instance.bytes, transfer_syntax_uid, &frames, limits)?;
    Ok(ViewingCopy { part10, frames, transfer_syntax_uid })
}

fn interpretation<'a>(instance: &'a Instance) -> &'a str {
    &instance.description.photometric_interpretation
}

fn recompressed(instance: &Instance, index: usize) -> Result<Vec<u8>> {
    let frame = instance.frame(index)?;
    let (d, samples) = (&instance.description, &frame.samples);
    let refused = |detail: String| Err(Error::Damaged { coder: "viewing copy", detail });
    let known = match frame.photometric_interpretation.as_str() {
        "MONOCHROME1" | "MONOCHROME2" | "PALETTE COLOR" => samples.components() == 1,
        "RGB" | "YBR_FULL" => samples.components() == 3,
        _ => false,
    };
    if !known || frame.photometric_interpretation != interpretation(instance) {
        return refused(format!("{} has no lossless codestream of its own", interpretation(instance)));
    }
    let Some(samples) = samples.with_bits(d.bits_stored).filter(|_| d.high_bit + 1 == d.bits_stored) else {
        let (stored, high) = (d.bits_stored, d.high_bit);
        return refused(format!("its numbers do not fit Bits Stored {stored} and High Bit {high}"));
    };
    // PS3.5 §8.2.4: luminance and chrominance are coded as they are, red, green and blue through the reversible transform.
    let plain = frame.photometric_interpretation == "YBR_FULL";
    let codestream = if plain { codec::encode_components(&samples)? } else { codec::encode(&samples)? };
    if codec::decode(&codestream)? != samples {
        return refused(format!("frame {} does not come back as it was", index + 1));
    }
    Ok(codestream)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data_set;

    /// Real files of each compression, from outside the tree.
    const FILES: [(&str, &str); 8] = [
        ("ct-series/wg04/CT1_JLSL", "1.2.840.10008.1.2.4.80"),
        ("ct-series/wg04/CT1_JLSN", "1.2.840.10008.1.2.4.81"),
        ("mr-series/wg04/MR1_JPLL", "1.2.840.10008.1.2.4.70"),
        ("nuclear/wg04/NM1_RLE", "1.2.840.10008.1.2.5"),
        ("multi-frame/emri_small_jpeg_ls_lossless.dcm", "1.2.840.10008.1.2.4.80"),
        ("ultrasound/jpeg-ls-Palette.dcm", "1.2.840.10008.1.2.4.80"),
        ("transfer-syntaxes/JLSL_RGB_ILV2.dcm", "1.2.840.10008.1.2.4.80"),
        ("transfer-syntaxes/JLSL_16_15_1_1F.dcm", "1.2.840.10008.1.2.4.80"),
    ];

    #[test]
    fn a_copy_has_the_samples_the_uid_and_the_attributes_of_its_source() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/datasets");
        if !root.join("MANIFEST.csv").exists() {
            return println!("skipped: ../shared/datasets is not here");
        }
        for (name, uid) in FILES {
            let file = std::fs::read(root.join(name)).unwrap();
            let limits = Limits::default();
            let copy = make(&file, &limits).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (before, after) =
                (Instance::open(&file, &limits).unwrap(), Instance::open(&copy.part10, &limits).unwrap());
            assert_eq!((before.part10.transfer_syntax_uid.as_str(), is_wanted(uid)), (uid, true), "{name}");
            assert_eq!(after.part10.transfer_syntax_uid, codec::TRANSFER_SYNTAX_UID);
            assert_eq!((before.frames(), copy.frames.len()), (after.frames(), after.frames()), "{name}");
            for index in 0..before.frames() {
                let (before, after) = (before.frame(index).unwrap(), after.frame(index).unwrap());
                let bits = after.samples.bits().into();
                assert_eq!(before.samples.with_bits(bits), Some(after.samples), "{name}, frame {index}");
                assert_eq!(before.photometric_interpretation, after.photometric_interpretation, "{name}");
            }
            let values = |of: &data_set::DataSet| {
                let kept = of.elements.iter().filter(|e| e.tag.0 < 0x7FE0 && e.tag.1 != 0 && e.tag != Tag(0x28, 6));
                let mut kept: Vec<_> = kept.map(|e| (e.tag, e.little_endian().map(|v| v.to_vec()))).collect();
                kept.sort_by_key(|(tag, _)| *tag);
                kept
            };
            let (mut before, mut after) = (values(&before.part10.data_set), values(&after.part10.data_set));
            for all in [&mut before, &mut after] {
                all.retain(|(tag, _)| *tag != Tag(0x28, 4) || !name.contains("RGB"));
                all.iter_mut().filter_map(|(_, value)| value.as_mut()).for_each(|value| {
                    while matches!(value.last(), Some(0 | b' ')) {
                        value.pop();
                    }
                });
            }
            assert_eq!(before, after, "{name}");
        }
    }

    #[test]
    fn what_browsers_show_and_what_is_ours_gets_none() {
        for short in ["1", "1.99", "2", "4.50", "4.51", "4.90", "4.202", "4.203", "4.102"] {
            assert!(!is_wanted(&format!("1.2.840.10008.1.2.{short}")), "{short}");
        }
        assert!(make(b"nothing", &Limits::default()).unwrap_err().to_string().contains("not a DICOM file"));
    }
}
