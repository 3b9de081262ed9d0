//! C-MOVE and C-GET (PS3.4 §C.4.2, §C.4.3): a C-STORE sub-operation an instance, to a destination or on the same
//! association; after each a pending response with its counts.

use super::association::{Association, Request};
use super::command::{C_GET_RQ, CommandSet};
use super::destination::{Destination, Outcome};
use super::elements::Elements;
use super::identifier::{Identifier, Refused, Wanted};
use super::read_side::{Instance, ReadSide, Unanswered};
use super::scu::{Originator, StoreRequest};
use super::service::Root;
use crate::admit::tags;
use crate::error::{
    CANCELLED, CANNOT_UNDERSTAND, MOVE_DESTINATION_UNKNOWN, PENDING, Result, SOME_SUB_OPERATIONS_FAILED,
    SUB_OPERATIONS_FAILED, TOO_MANY_MATCHES,
};
use transcode::data_set::VR;

/// Sub-operations of one retrieval at the most: their numbers are of 16 bits (PS3.7 §9.1.3).
const SUB_OPERATIONS_MAX: usize = u16::MAX as usize;

/// Number of Remaining, Completed, Failed and Warning Sub-operations, and which failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    remaining: u16,
    completed: u16,
    failed: u16,
    warning: u16,
    failed_uids: Vec<String>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome, sop_instance_uid: &str) {
        self.remaining = self.remaining.saturating_sub(1);
        match outcome {
            Outcome::Completed => self.completed += 1,
            Outcome::Warning => self.warning += 1,
            Outcome::Failed => {
                self.failed += 1;
                self.failed_uids.push(sop_instance_uid.to_owned());
            }
        }
    }

    /// The status at the end: a failure where nothing arrived, a warning where something did not (PS3.4 §C.4.2.3.1).
    fn status(&self) -> u16 {
        match (self.completed + self.warning, self.failed) {
            (0, 0) => 0,
            (0, _) => SUB_OPERATIONS_FAILED,
            (_, 0) if self.warning == 0 => 0,
            _ => SOME_SUB_OPERATIONS_FAILED,
        }
    }

    /// The counts in a response (PS3.7 Tables 9.3-7, 9.3-10); what remains is said while something may.
    fn counted(&self, response: CommandSet, remains: bool) -> CommandSet {
        let response = if remains { response.number(0x1020, self.remaining) } else { response };
        response.number(0x1021, self.completed).number(0x1022, self.failed).number(0x1023, self.warning)
    }

    /// The Identifier of a final response: Failed SOP Instance UID List (0008,0058).
    fn identifier(&self, transfer_syntax: &str) -> Option<Vec<u8>> {
        let mut elements = Elements::new(transfer_syntax);
        elements.text(tags::FAILED_SOP_INSTANCE_UID_LIST, VR::UI, &self.failed_uids.join("\\"));
        (self.failed > 0).then(|| elements.into_bytes())
    }
}

impl<'a> Association<'a> {
    /// Answers a C-MOVE or a C-GET.
    ///
    /// # Errors
    /// [`Error::Association`](crate::Error::Association) where the peer breaks the protocol or goes away.
    pub(super) async fn retrieve(&mut self, request: &Request, root: Root, bytes: &[u8]) -> Result<()> {
        let Some(read_side) = self.scp().read_side.clone() else { return self.unsupported(request).await };
        let wanted = match wanted(request, root, bytes) {
            Ok(wanted) => wanted,
            Err(refused) => return self.refuse(request, &refused).await,
        };
        let destination = match self.destination(request) {
            Ok(destination) => destination,
            Err(refused) => return self.refuse(request, &refused).await,
        };
        let instances = match read_side.select(&self.peer(), &wanted, SUB_OPERATIONS_MAX).await {
            Ok(instances) if instances.len() > SUB_OPERATIONS_MAX => {
                let why = Unanswered::TooMuch("more than 65535 instances; ask study by study".into());
                return self.refuse(request, &refused(&why)).await;
            }
            Ok(instances) => instances,
            Err(why) => return self.refuse(request, &refused(&why)).await,
        };
        self.sub_operations(request, read_side.as_ref(), &instances, destination).await
    }

    /// Where a C-MOVE goes; nowhere else for C-GET.
    fn destination(&self, request: &Request) -> Result<Option<Destination<'a>>, Refused> {
        if request.command.field == C_GET_RQ {
            return Ok(None);
        }
        let unknown = || Refused {
            status: MOVE_DESTINATION_UNKNOWN,
            element: None,
            comment: "the Move Destination is not known here".into(),
        };
        let peer = self.scp().peers.named(&request.command.move_destination);
        let peer = peer.filter(|peer| peer.address.is_some()).ok_or_else(unknown)?;
        let originator = Originator { ae_title: self.peer().ae_title.clone(), message_id: request.command.message_id };
        Ok(Some(Destination::new(self.scp(), peer, request.command.priority, originator)))
    }

    async fn sub_operations(
        &mut self,
        request: &Request,
        read_side: &dyn ReadSide,
        instances: &[Instance],
        mut destination: Option<Destination<'a>>,
    ) -> Result<()> {
        let remaining = u16::try_from(instances.len()).unwrap_or(u16::MAX);
        let mut tally = Tally { remaining, ..Tally::default() };
        let (peer, message_id, mut cancelled) = (self.peer(), request.command.message_id, false);
        for (at, instance) in instances.iter().enumerate() {
            cancelled = cancelled || self.exchange.is_cancelled(message_id).await?;
            if cancelled {
                break;
            }
            let outcome = match &mut destination {
                Some(there) => there.store(read_side, &peer, instances.get(at..).unwrap_or_default()).await,
                None => {
                    let (outcome, stop) = self.store_here(request, read_side, instance).await?;
                    cancelled = stop;
                    outcome
                }
            };
            tally.add(outcome, &instance.sop_instance_uid);
            if tally.remaining > 0 && !cancelled {
                let pending = tally.counted(request.command.response(PENDING, ""), true);
                self.exchange.send(request.context_id, &pending, None).await?;
            }
        }
        let to = destination.as_ref().map_or(&peer.ae_title, |there| &there.peer.ae_title).clone();
        if let Some(there) = &mut destination {
            there.release().await;
        }
        let (completed, failed) = (tally.completed + tally.warning, tally.failed);
        tracing::info!(completed, failed, cancelled, "{} retrieved to {to}", peer.ae_title);
        let status = if cancelled && tally.remaining > 0 { CANCELLED } else { tally.status() };
        let (comment, identifier) = (comment(&tally), tally.identifier(&request.context.transfer_syntax));
        let response = tally.counted(request.command.response(status, &comment), status == CANCELLED);
        let response = if identifier.is_some() { response.with_data_set() } else { response };
        self.exchange.send(request.context_id, &response, identifier.as_deref()).await
    }

    /// Sends one instance on this association (PS3.4 §C.4.3.2). True if C-CANCEL came meanwhile.
    async fn store_here(
        &mut self,
        request: &Request,
        read_side: &dyn ReadSide,
        instance: &Instance,
    ) -> Result<(Outcome, bool)> {
        let (class, uid) = (&instance.sop_class_uid, &instance.sop_instance_uid);
        let Some((context_id, syntax)) = self.context_to_peer(class, &instance.transfer_syntaxes) else {
            tracing::warn!("C-GET: instance {uid}: no presentation context was agreed on that it can be sent on");
            return Ok((Outcome::Failed, false));
        };
        let outgoing = match read_side.open(&self.peer(), instance, &syntax).await {
            Ok(outgoing) => outgoing,
            Err(why) => {
                tracing::warn!("C-GET: instance {uid}: {why}");
                return Ok((Outcome::Failed, false));
            }
        };
        let priority = request.command.priority;
        let store = StoreRequest { sop_class_uid: class, sop_instance_uid: uid, priority, ..StoreRequest::default() };
        let command = store.command(self.next_message_id());
        self.exchange.send_flow(context_id, &command, outgoing.data_set).await?;
        let (response, cancelled) = self.exchange.response(&command, Some(request.command.message_id)).await?;
        if response.status != 0 {
            tracing::warn!("C-GET: {:04X} was answered to instance {uid}", response.status);
        }
        Ok((Outcome::of(response.status), cancelled))
    }
}

fn wanted(request: &Request, root: Root, bytes: &[u8]) -> Result<Wanted, Refused> {
    let identifier = Identifier::read(bytes, &request.context.transfer_syntax)?;
    let level = identifier.level(root)?;
    if !request.context.extended.relational {
        identifier.check_above(root, level)?;
    }
    identifier.wanted(root, level)
}

fn refused(why: &Unanswered) -> Refused {
    let status = match why {
        Unanswered::Invalid(_) => CANNOT_UNDERSTAND,
        Unanswered::TooMuch(_) => TOO_MANY_MATCHES,
        Unanswered::Failed(_) => SUB_OPERATIONS_FAILED,
    };
    Refused { status, element: None, comment: why.to_string() }
}

fn comment(tally: &Tally) -> String {
    if tally.failed == 0 { String::new() } else { format!("{} instances were not sent", tally.failed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Completed, Failed, Warning};

    /// PS3.4 Tables C.4-2 and C.4-3: success, a warning if something failed, a failure if everything did.
    #[test]
    fn the_final_status_tells_what_failed() {
        let check = |outcomes: &[Outcome], status| {
            let mut tally = Tally { remaining: outcomes.len() as u16, ..Tally::default() };
            outcomes.iter().for_each(|outcome| tally.add(*outcome, "1.2"));
            assert_eq!((tally.status(), tally.remaining), (status, 0), "{outcomes:?}");
            assert_eq!(tally.identifier("1.2.840.10008.1.2").is_some(), outcomes.contains(&Failed));
        };
        check(&[], 0);
        check(&[Completed, Completed], 0);
        check(&[Completed, Failed], 0xB000);
        check(&[Completed, Warning], 0xB000);
        check(&[Failed, Failed], 0xA702);
    }
}
