//! The other end of a C-MOVE: an association to its destination, opened again where it breaks or more has to be proposed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Dimse;
use super::negotiate::IMPLICIT_VR_LITTLE_ENDIAN;
use super::peers::Peer;
use super::read_side::{Instance, ReadSide};
use super::scu::{self, CONTEXTS_MAX, Originator, Proposal, Result, Scu, ScuError, StoreRequest};

/// Associations that break one after another before the rest is given up.
const FAILURES_MAX: u32 = 2;

/// What became of one sub-operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Status 0000.
    Completed,
    /// A warning: it is there, but not quite as sent.
    Warning,
    /// Anything else.
    Failed,
}

impl Outcome {
    /// By the status of a C-STORE-RSP (PS3.4 Table B.2-1).
    pub fn of(status: u16) -> Outcome {
        match status {
            0 => Outcome::Completed,
            0x0001 | 0xB000..=0xBFFF => Outcome::Warning,
            _ => Outcome::Failed,
        }
    }
}

/// Where instances are moved to.
pub struct Destination<'a> {
    pub dimse: &'a Dimse,
    pub peer: Arc<Peer>,
    pub priority: u16,
    pub originator: Originator,
    association: Option<Open>,
    failures: u32,
}

struct Open {
    scu: Scu,
    /// SOP classes that were proposed.
    proposed: BTreeSet<String>,
}

impl<'a> Destination<'a> {
    /// Not called yet.
    pub fn new(dimse: &'a Dimse, peer: Arc<Peer>, priority: u16, originator: Originator) -> Destination<'a> {
        Destination { dimse, peer, priority, originator, association: None, failures: 0 }
    }

    /// Sends the first of `upcoming`, for `asker`. What follows is looked at for what to propose.
    pub async fn store(&mut self, read_side: &dyn ReadSide, asker: &Peer, upcoming: &[Instance]) -> Outcome {
        let Some(instance) = upcoming.first().filter(|_| self.failures < FAILURES_MAX) else { return Outcome::Failed };
        match self.try_store(read_side, asker, instance, upcoming).await {
            Ok(outcome) => {
                self.failures = 0;
                outcome
            }
            Err(error) => {
                tracing::warn!("C-MOVE: {error}");
                // What we could not read says nothing of the destination.
                self.failures += u32::from(!matches!(error, ScuError::Source { .. }));
                self.association = None;
                Outcome::Failed
            }
        }
    }

    async fn try_store(
        &mut self,
        read_side: &dyn ReadSide,
        asker: &Peer,
        instance: &Instance,
        upcoming: &[Instance],
    ) -> Result<Outcome> {
        let is_proposed = |open: &Open| open.proposed.contains(&instance.sop_class_uid);
        if self.association.as_ref().is_some_and(|open| !is_proposed(open)) {
            self.release().await;
        }
        let open = match &mut self.association {
            Some(open) => open,
            none => {
                let proposals = proposals(upcoming, &self.peer.transfer_syntaxes);
                let (transport, calling) = (self.dimse.transport.as_ref(), self.dimse.own_ae_title());
                let peer = scu::Peer::known(&self.peer, calling, transport, self.dimse.limits)?;
                let scu = Scu::open(&peer, &proposals).await?;
                let proposed = proposals.into_iter().map(|proposal| proposal.abstract_syntax).collect();
                none.insert(Open { scu, proposed })
            }
        };
        let uid = &instance.sop_instance_uid;
        let mut syntaxes = instance.transfer_syntaxes.iter();
        let Some(context) = syntaxes.find_map(|syntax| open.scu.context(&instance.sop_class_uid, syntax)) else {
            tracing::warn!(
                "C-MOVE: {} takes instance {uid} in no transfer syntax it can be had in",
                self.peer.ae_title
            );
            return Ok(Outcome::Failed);
        };
        let outgoing = match read_side.open(asker, instance, &context.transfer_syntax).await {
            Ok(outgoing) => outgoing,
            Err(why) => {
                tracing::warn!("C-MOVE: instance {uid}: {why}");
                return Ok(Outcome::Failed);
            }
        };
        let request = StoreRequest {
            sop_class_uid: &instance.sop_class_uid,
            sop_instance_uid: uid,
            priority: self.priority,
            move_originator: Some(&self.originator),
        };
        let id = context.id;
        let status = open.scu.store(id, &request, outgoing.data_set).await?.status;
        if status != 0 {
            tracing::warn!("C-MOVE: {} answers {status:04X} to instance {uid}", self.peer.ae_title);
        }
        Ok(Outcome::of(status))
    }

    /// Ends the association, if one is open.
    pub async fn release(&mut self) {
        if let Some(open) = self.association.take() {
            // Everything was answered: a peer that does not take leave loses nothing.
            let _ = open.scu.release().await;
        }
    }
}

/// A context for each class and transfer syntax, so that it is known of each whether it is taken. As many as fit one association, in the order of the instances.
fn proposals(upcoming: &[Instance], taken: &[String]) -> Vec<Proposal> {
    let (mut out, mut classes) = (Vec::new(), BTreeSet::new());
    for instance in upcoming {
        if !classes.insert(&instance.sop_class_uid) {
            continue;
        }
        let of_class = upcoming.iter().filter(|other| other.sop_class_uid == instance.sop_class_uid);
        let contexts = contexts_of_class(&instance.sop_class_uid, of_class, taken);
        if out.len() + contexts.len() > CONTEXTS_MAX {
            break;
        }
        out.extend(contexts);
    }
    out
}

fn contexts_of_class<'a>(
    class: &str,
    instances: impl Iterator<Item = &'a Instance>,
    taken: &[String],
) -> Vec<Proposal> {
    // Implicit VR Little Endian is taken by everyone (PS3.5 §10.1).
    let is_taken =
        |uid: &str| taken.is_empty() || uid == IMPLICIT_VR_LITTLE_ENDIAN || taken.iter().any(|one| one == uid);
    let (mut syntaxes, mut seen): (Vec<&str>, BTreeSet<&str>) = (Vec::new(), BTreeSet::new());
    for uid in instances.flat_map(|instance| &instance.transfer_syntaxes) {
        if is_taken(uid) && seen.insert(uid) {
            syntaxes.push(uid);
        }
    }
    if !taken.is_empty() {
        syntaxes.sort_by_key(|uid| taken.iter().position(|one| one == uid).unwrap_or(usize::MAX));
    }
    syntaxes.into_iter().take(CONTEXTS_MAX).map(|uid| Proposal::new(class, &[uid])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::negotiate::EXPLICIT_VR_LITTLE_ENDIAN;
    use super::*;

    fn instance(class: &str, syntaxes: &[&str]) -> Instance {
        Instance {
            sop_class_uid: class.into(),
            transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).into()).collect(),
            ..Instance::default()
        }
    }

    /// Each class in each of its transfer syntaxes, as many classes as fit; a peer that takes some only is offered those.
    #[test]
    fn each_class_is_proposed_in_what_it_can_be_had_in() {
        let (htj2k, jpeg) = ("1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.50");
        let plain = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN];
        let upcoming =
            [instance("1", &[htj2k, plain[0], plain[1]]), instance("2", &[plain[1]]), instance("1", &[jpeg, plain[0]])];
        let check = |taken: &[&str], expected: &[(&str, &str)]| {
            let taken: Vec<String> = taken.iter().map(|uid| (*uid).into()).collect();
            let found = proposals(&upcoming, &taken);
            let found: Vec<(&str, &str)> =
                found.iter().map(|p| (p.abstract_syntax.as_str(), p.transfer_syntaxes[0].as_str())).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[("1", htj2k), ("1", plain[0]), ("1", plain[1]), ("1", jpeg), ("2", plain[1])]);
        check(&[jpeg], &[("1", jpeg), ("1", plain[1]), ("2", plain[1])]);
        let many: Vec<Instance> = (0..200).map(|class| instance(&class.to_string(), &[htj2k, plain[0]])).collect();
        assert_eq!(proposals(&many, &[]).len(), CONTEXTS_MAX);
    }
}
