//! A destination that is reached by C-STORE: associations with the contexts that a study needs, one instance after the
//! other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use transcode::outgoing::can_become;

use super::prepare::Prepared;
use super::rules::Destination;
use super::verdict::{Trouble, Verdict, verdict};
use crate::error::SOP_CLASS_NOT_SUPPORTED;
use crate::scu::{
    Accepted, CONTEXTS_MAX, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, Peer, Proposal, Scu, ScuError,
    StoreRequest,
};

/// One association after another with one peer.
pub struct CStore {
    peer: Peer,
    open: Option<Scu>,
    /// SOP class and transfer syntax of every context proposed.
    proposed: BTreeSet<(String, String)>,
    /// A folder for files in another transfer syntax.
    spool: PathBuf,
}

impl CStore {
    /// A sender to this peer; nothing is opened yet.
    pub fn new(peer: Peer, spool: PathBuf) -> CStore {
        CStore { peer, open: None, proposed: BTreeSet::new(), spool }
    }

    /// Sends instances in order, up to the first that is put off. Answers what became of each that was sent, and what
    /// stands in the way of the rest.
    pub async fn send(&mut self, to: &Destination, instances: &[Prepared]) -> (Vec<Verdict>, Option<Trouble>) {
        let mut verdicts = Vec::with_capacity(instances.len());
        for (at, instance) in instances.iter().enumerate() {
            let rest = instances.get(at..).unwrap_or_default();
            match self.store(to, instance, rest).await {
                Ok(later @ Verdict::Later(_)) => {
                    verdicts.push(later);
                    break;
                }
                Ok(verdict) => verdicts.push(verdict),
                Err(trouble) => return (verdicts, Some(trouble)),
            }
        }
        (verdicts, None)
    }

    /// Ends the association, if one is open.
    pub async fn close(&mut self) {
        if let Some(scu) = self.open.take() {
            let _ = scu.release().await;
        }
    }

    async fn store(&mut self, to: &Destination, one: &Prepared, rest: &[Prepared]) -> Result<Verdict, Trouble> {
        self.associate(to, one, rest).await?;
        let Some(accepted) = self.accepted(to, one) else {
            let reason = format!(
                "the peer accepts no presentation context of SOP class {} in which it can be sent",
                one.instance.sop_class_uid
            );
            return Ok(Verdict::Refused { code: SOP_CLASS_NOT_SUPPORTED, reason });
        };
        let converted;
        let one = if accepted.transfer_syntax == one.transfer_syntax_uid {
            one
        } else {
            // Opened before the association waits for it: a peer may take it for silence otherwise.
            match one.in_syntax(&accepted.transfer_syntax, &self.spool).await {
                Ok(prepared) => converted = prepared,
                Err(reason) => return Ok(Verdict::Refused { code: SOP_CLASS_NOT_SUPPORTED, reason }),
            }
            &converted
        };
        let request = StoreRequest {
            sop_class_uid: &one.instance.sop_class_uid,
            sop_instance_uid: &one.instance.sop_instance_uid,
            ..StoreRequest::default()
        };
        let Some(scu) = &mut self.open else { return Err(Trouble::down("no association is open")) };
        match scu.store(accepted.id, &request, one.data_set()).await {
            Ok(response) => Ok(verdict(response.status, &response.comment)),
            Err(error) => {
                self.open = None;
                self.proposed.clear();
                // Whether it is stored is unknown. It may be this instance that the peer falls over, so it is the study's
                // trouble; a peer that is gone shows at the next association.
                Err(match error {
                    ScuError::Source { .. } => Trouble::source(error),
                    error => Trouble::broken(error),
                })
            }
        }
    }

    /// Opens an association that proposes what this instance needs, unless one is open that does.
    async fn associate(&mut self, to: &Destination, one: &Prepared, rest: &[Prepared]) -> Result<(), Trouble> {
        let needed = pairs(to, one);
        if self.open.is_some() && needed.iter().all(|pair| self.proposed.contains(pair)) {
            return Ok(());
        }
        self.close().await;
        let mut proposed = BTreeSet::from_iter(needed);
        // What comes next and what the study needed so far, as far as there is room.
        let more = rest.iter().flat_map(|one| pairs(to, one)).chain(std::mem::take(&mut self.proposed));
        for pair in more {
            if proposed.len() < CONTEXTS_MAX {
                proposed.insert(pair);
            }
        }
        let proposals: Vec<Proposal> =
            proposed.iter().map(|(class, syntax)| Proposal::new(class.as_str(), &[syntax.as_str()])).collect();
        // Whatever the study: no association is the destination's trouble.
        self.open = Some(Scu::open(&self.peer, &proposals).await.map_err(Trouble::down)?);
        self.proposed = proposed;
        Ok(())
    }

    /// The context it goes in: of the transfer syntaxes wanted, else as it is, else one that every peer takes.
    fn accepted(&self, to: &Destination, one: &Prepared) -> Option<Accepted> {
        let scu = self.open.as_ref()?;
        pairs(to, one).iter().find_map(|(class, syntax)| scu.context(class, syntax)).cloned()
    }
}

/// SOP class and transfer syntax in which an instance can be sent, the best first.
fn pairs(to: &Destination, one: &Prepared) -> Vec<(String, String)> {
    let own = one.transfer_syntax_uid.as_str();
    let wanted = to.transfer_syntaxes.iter().map(String::as_str);
    let mut syntaxes = Vec::with_capacity(3);
    for syntax in wanted.chain([own, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN]) {
        if !syntaxes.contains(&syntax) && can_become(own, syntax) {
            syntaxes.push(syntax);
        }
    }
    let class = &one.instance.sop_class_uid;
    syntaxes.into_iter().map(|syntax| (class.clone(), syntax.to_owned())).collect()
}
