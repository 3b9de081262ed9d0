//! Bringing the catalogue up to date with the packs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Catalogue, InstanceRow, StudyRow};
use crate::error::{Error, Result};
use crate::index;
use crate::pack::{PackDirectory, PackInstance};
use crate::reader::Reader;

/// Rows of one append at the most (a pack more than fits is appended alone): about 10 MB of memory.
const ROWS_MAX: usize = 20_000;

impl Reader {
    /// Appends every pack in use that the catalogue does not cover, in batches, and takes out the rows of those that they
    /// replaced. Answers how many numbers that were.
    ///
    /// # Errors
    /// When a pack cannot be read or the catalogue cannot be written; what was appended by then stays.
    pub async fn fill_catalogue(&self, catalogue: &Arc<Catalogue>) -> Result<u64> {
        let shared = Arc::clone(catalogue);
        let covered = blocking(move || shared.covered()).await?;
        let through = self.with_index(|index| index::mark(index, "packs_through")).await?;
        let (mut packs, mut instances, mut studies) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut replaced = BTreeSet::new();
        let in_use = self.with_index(move |index| index::in_use(index, covered, through)).await?;
        let last = in_use.last().copied();
        for number in in_use {
            let directory = self.directory(number).await?;
            packs.push(number);
            instances.extend(directory.instances.iter().filter(|i| !i.record.variant).map(|i| instance_row(i, number)));
            studies.insert(directory.study_instance_uid.clone());
            replaced.extend(self.with_index(move |index| index::replaced_by(index, number)).await?);
            if instances.len() >= ROWS_MAX || Some(number) == last {
                let mut rows = Vec::new();
                for study in std::mem::take(&mut studies) {
                    rows.extend(self.study_row(&study, number).await?);
                }
                let (packs, instances) = (std::mem::take(&mut packs), std::mem::take(&mut instances));
                let (replaced, shared) = (std::mem::take(&mut replaced), Arc::clone(catalogue));
                blocking(move || shared.append_replacing(&packs, &replaced, &instances, &rows)).await?;
            }
        }
        Ok(through.saturating_sub(covered))
    }

    /// A study as its packs up to `through` have it: whatever the batches were, the last row is the same.
    async fn study_row(&self, study_instance_uid: &str, through: u64) -> Result<Option<StudyRow>> {
        let study = study_instance_uid.to_owned();
        let packs = self.with_index(move |index| index::packs_of(index, &study, through)).await?;
        let mut directories = Vec::new();
        for number in packs {
            directories.push(self.directory(number).await?);
        }
        Ok(study_row(&directories))
    }
}

fn instance_row(instance: &PackInstance, pack: u64) -> InstanceRow {
    let record = &instance.record;
    InstanceRow {
        description: record.description.clone(),
        origin: record.origin.clone(),
        digests: record.digests,
        received_bytes: record.received_bytes,
        held_bytes: instance.held_bytes,
        held_form: instance.form.name().into(),
        pack,
    }
}

fn study_row(directories: &[Arc<PackDirectory>]) -> Option<StudyRow> {
    let all = || directories.iter().flat_map(|directory| &directory.instances);
    let first = all().min_by_key(|instance| instance.record.sequence)?;
    let listed = || all().filter(|instance| !instance.record.variant);
    let mut modalities = BTreeMap::new();
    for instance in listed() {
        let series = &instance.record.description.series;
        modalities.insert(series.series_instance_uid.clone(), series.modality.clone());
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let received_at = || all().map(|instance| instance.record.origin.received_at.clone());
    Some(StudyRow {
        study: first.record.description.study.clone(),
        number_of_study_related_series: count(modalities.len()),
        modalities_in_study: modalities
            .into_values()
            .filter(|m| !m.is_empty())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        number_of_study_related_instances: count(listed().count()),
        received_bytes: all().map(|instance| instance.record.received_bytes).sum(),
        held_bytes: all().map(|instance| instance.held_bytes).sum(),
        centre: first.record.origin.centre.clone(),
        first_received_at: received_at().min()?,
        last_received_at: received_at().max()?,
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Poisoned(e.to_string()))?
}
