//! Packs made anew: what is held in an older transfer syntax becomes codestreams of the present one, and the packs of a
//! study become one.
//!
//! Every instance is proven twice: that the received file still follows from the old pack, by its SHA-256, and that it
//! follows from the new one, as in packing. Old and new pack change places in one step ([`archive::PackBuilder::finish`]);
//! stopped anywhere before it, nothing has changed.

use std::collections::BTreeMap;

use archive::{Form, Held, HeldForm, PackRow, Repackable};
use sha2::{Digest, Sha256};

use crate::original::received_bytes;
use crate::packing::{Exception, Failure, Kept, Packer};

/// Studies looked at before the index is asked again.
const STUDIES_AHEAD: u32 = 256;

/// What repacking did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packs made.
    pub packs: u64,
    /// Packs that they replaced.
    pub replaced: u64,
    /// Packs that were looked at and are as good as they can be made.
    pub unchanged: u64,
    /// Instances in the packs made.
    pub instances: u64,
    /// Of these, instances whose frames were encoded anew.
    pub encoded: u64,
    /// Bytes their instances were held in.
    pub held_bytes_before: u64,
    /// Bytes they are held in now.
    pub held_bytes_after: u64,
    /// Instances that were to be encoded anew and are kept as they were held, each with its reason.
    pub exceptions: Vec<Exception>,
    /// Studies of which a pack stays as it is, each with its reason.
    pub failures: Vec<Failure>,
    /// Why packing has stopped until the program is started again.
    pub stopped: Option<String>,
}

/// What becomes of one instance.
enum Anew {
    /// Encoded anew.
    Form(Form),
    /// Byte for byte as it is; with a reason, if that was not what was wanted.
    AsHeld(Option<String>),
    /// It is not what was received.
    Damaged(String),
    /// Packing has stopped.
    Stopped,
}

impl Packer {
    /// Makes the packs of every study anew that has one of those that are wanted. `each` hears of every instance. What
    /// fails stays as it is and is named; called again, it goes on where it was stopped.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn repack(
        &self,
        wanted: &Repackable,
        now: &(dyn Fn() -> String + Send + Sync),
        each: &(dyn Fn(&Held) + Send + Sync),
    ) -> archive::Result<Summary> {
        let (mut summary, mut place) = (Summary::default(), 0);
        loop {
            let studies = self.reader.studies_to_repack(wanted, place, STUDIES_AHEAD).await?;
            let Some((last, _)) = studies.last() else { break };
            place = *last;
            for (_, study) in &studies {
                if let Err(error) = self.repack_study(study, wanted, now, each, &mut summary).await {
                    tracing::error!(study, %error, "a study could not be packed anew; it stays as it is");
                    summary.fail(study, error.to_string());
                }
                if self.stopped().is_some() {
                    summary.stopped = self.stopped().map(str::to_owned);
                    return Ok(summary);
                }
            }
        }
        Ok(summary)
    }

    async fn repack_study(
        &self,
        study: &str,
        wanted: &Repackable,
        now: &(dyn Fn() -> String + Send + Sync),
        each: &(dyn Fn(&Held) + Send + Sync),
        summary: &mut Summary,
    ) -> archive::Result<()> {
        let packs = self.reader.packs_of(study).await?;
        let numbers: Vec<u64> = packs.iter().map(|pack| pack.number).collect();
        let mut received: BTreeMap<u64, u64> = BTreeMap::new();
        for held in self.reader.instances_in(study, &numbers).await? {
            *received.entry(held.pack().unwrap_or_default()).or_default() += held.record.received_bytes;
        }
        for group in groups(&packs, &received, self.settings.pack_bytes_max) {
            if group.len() > 1 || group.iter().any(|pack| wanted.covers(pack)) {
                let numbers: Vec<u64> = group.iter().map(|pack| pack.number).collect();
                self.repack_group(study, &numbers, wanted, &now(), each, summary).await?;
            }
        }
        Ok(())
    }

    /// Makes one pack of several of one study.
    async fn repack_group(
        &self,
        study: &str,
        packs: &[u64],
        wanted: &Repackable,
        now: &str,
        each: &(dyn Fn(&Held) + Send + Sync),
        summary: &mut Summary,
    ) -> archive::Result<()> {
        // First the turn, then the instances: an earlier pack may only now be found to be in place.
        let mut pack = self.writer.begin_pack(study, now).await?;
        let instances = self.reader.instances_in(study, packs).await?;
        let json = self.reader.dicom_json(&instances).await?;
        let mut done = Summary::default();
        for (held, json) in instances.iter().zip(json) {
            let form = match self.anew(held, wanted).await? {
                Anew::Form(form) => {
                    done.encoded += 1;
                    form
                }
                Anew::AsHeld(why) => {
                    done.exceptions.extend(why.map(|reason| exception(held, reason)));
                    Form::AsHeld
                }
                Anew::Damaged(why) => {
                    summary.fail(study, format!("{why}; packs {packs:?} stay as they are"));
                    return Ok(());
                }
                Anew::Stopped => return Ok(()),
            };
            done.held_bytes_before += held.held_bytes;
            done.held_bytes_after += pack.add(&self.reader, held, json, form).await?;
            done.instances += 1;
            each(held);
        }
        if done.encoded == 0 && packs.len() < 2 || instances.is_empty() {
            summary.unchanged += packs.len() as u64;
            summary.exceptions.append(&mut done.exceptions);
            return Ok(());
        }
        pack.replace(&self.reader, packs).await?;
        pack.finish().await?;
        (done.packs, done.replaced) = (1, packs.len() as u64);
        summary.merge(done);
        Ok(())
    }

    /// Proves that the received file is still to be had, and encodes its frames anew where that is wanted.
    async fn anew(&self, held: &Held, wanted: &Repackable) -> archive::Result<Anew> {
        let is_packed = held.form == HeldForm::Packed;
        let in_memory = held.record.received_bytes <= self.settings.packable_bytes_max;
        if !in_memory && !is_packed {
            // Too long ever to be packed: it is only looked at.
            return Ok(match self.is_as_received(held).await? {
                Ok(()) => Anew::AsHeld(None),
                Err(why) => Anew::Damaged(why),
            });
        }
        let received = received_bytes(&self.reader, held).await?;
        if Sha256::digest(&received).as_slice() != held.record.digests.file {
            let uid = &held.record.description.instance.sop_instance_uid;
            return Ok(Anew::Damaged(format!("instance {uid} has another SHA-256 than the file received")));
        }
        let older = is_packed && held.transfer_syntax_uid != self.settings.coders.transfer_syntax_uid;
        if !older && matches!(wanted, Repackable::NotOf(_)) {
            return Ok(Anew::AsHeld(None));
        }
        Ok(match self.make_form_of(received, held).await {
            None => Anew::Stopped,
            Some(made) => match made.kept {
                Kept::Rebuilt => Anew::Form(made.form),
                Kept::NotRebuilt(why) if is_packed => Anew::AsHeld(Some(why)),
                _ => Anew::AsHeld(None),
            },
        })
    }
}

/// Neighbours together, as long as no more bytes were received for them than a pack may have.
fn groups<'a>(packs: &'a [PackRow], received: &BTreeMap<u64, u64>, bytes_max: u64) -> Vec<Vec<&'a PackRow>> {
    let (mut groups, mut bytes): (Vec<Vec<&PackRow>>, u64) = (Vec::new(), 0);
    for pack in packs {
        let more = received.get(&pack.number).copied().unwrap_or_default();
        match groups.last_mut() {
            Some(group) if bytes + more <= bytes_max => {
                group.push(pack);
                bytes += more;
            }
            _ => {
                groups.push(vec![pack]);
                bytes = more;
            }
        }
    }
    groups
}

fn exception(held: &Held, reason: String) -> Exception {
    let modality = held.record.description.series.modality.clone();
    Exception { file: held.record.origin.file.clone(), modality, reason }
}

impl Summary {
    fn fail(&mut self, study_instance_uid: &str, reason: String) {
        self.failures.push(Failure { study_instance_uid: study_instance_uid.to_owned(), reason });
    }

    fn merge(&mut self, other: Summary) {
        self.packs += other.packs;
        self.replaced += other.replaced;
        self.instances += other.instances;
        self.encoded += other.encoded;
        self.held_bytes_before += other.held_bytes_before;
        self.held_bytes_after += other.held_bytes_after;
        self.exceptions.extend(other.exceptions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that neighbours are joined up to the limit, that none is left out, and that joining again changes nothing.
    #[test]
    fn packs_are_joined_up_to_the_limit() {
        let check = |received: &[u64], expected: &[&[u64]]| {
            let packs: Vec<PackRow> = (1..=received.len() as u64)
                .map(|number| PackRow { number, bytes: 0, created_at: String::new(), coded: Vec::new() })
                .collect();
            let received = received.iter().zip(1..).map(|(bytes, number)| (number, *bytes)).collect();
            let found: Vec<Vec<u64>> = groups(&packs, &received, 10)
                .into_iter()
                .map(|group| group.into_iter().map(|pack| pack.number).collect())
                .collect();
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        check(&[3, 3, 3], &[&[1, 2, 3]]);
        check(&[5, 5, 1], &[&[1, 2], &[3]]);
        check(&[99, 1, 2], &[&[1], &[2, 3]]);
        check(&[5, 9, 3], &[&[1], &[2], &[3]]);
    }
}
