//! C-FIND (PS3.4 §C.4.1): one response a match, as they are found, until C-CANCEL.

use super::answer::Answers;
use super::association::{Association, Request};
use super::identifier::{Identifier, Level, Refused};
use super::read_side::{ReadSide, Unanswered};
use super::service::Root;
use crate::error::{CANCELLED, CANNOT_UNDERSTAND, OUT_OF_RESOURCES, PENDING, PENDING_KEYS_UNSUPPORTED, Result};

/// Unable to process for a reason of our own (PS3.4 Table C.4-1, range Cxxx).
const UNABLE_TO_PROCESS: u16 = 0xC001;

impl Association<'_> {
    /// Answers a query.
    ///
    /// # Errors
    /// [`Error::Association`](crate::Error::Association) where the peer breaks the protocol or goes away.
    pub(super) async fn find(&mut self, request: &Request, root: Root, bytes: &[u8]) -> Result<()> {
        let Some(read_side) = self.scp().read_side.clone() else { return self.unsupported(request).await };
        let query = Identifier::read(bytes, &request.context.transfer_syntax).and_then(|identifier| {
            let level = identifier.level(root)?;
            if !request.context.extended.relational {
                identifier.check_above(root, level)?;
            }
            Ok((identifier, level))
        });
        match query {
            Ok((identifier, level)) => self.matches(request, read_side.as_ref(), &identifier, level).await,
            Err(refused) => self.refuse(request, &refused).await,
        }
    }

    async fn matches(
        &mut self,
        request: &Request,
        read_side: &dyn ReadSide,
        identifier: &Identifier,
        level: Level,
    ) -> Result<()> {
        let keys = identifier.keys();
        let supported = keys.iter().all(|key| read_side.supports(level, key));
        let pending = if supported { PENDING } else { PENDING_KEYS_UNSUPPORTED };
        let ae_title = self.scp().own_ae_title().to_owned();
        let answers = Answers::new(identifier, &request.context.transfer_syntax, level, &ae_title);
        let response = request.command.response(pending, "").with_data_set();
        let matching = request.context.extended;
        let (peer, message_id, mut offset) = (self.peer(), request.command.message_id, 0_u32);
        loop {
            if self.exchange.is_cancelled(message_id).await? {
                return self.answer(request, CANCELLED, "").await;
            }
            let found = match read_side.find(&peer, level, &keys, matching, offset).await {
                Ok(found) => found,
                Err(why) => return self.refuse(request, &refused(&why)).await,
            };
            for answer in &found.answers {
                if self.exchange.is_cancelled(message_id).await? {
                    return self.answer(request, CANCELLED, "").await;
                }
                self.exchange.send(request.context_id, &response, Some(&answers.data_set(answer))).await?;
            }
            offset = offset.saturating_add(u32::try_from(found.answers.len()).unwrap_or(u32::MAX));
            if !found.more || found.answers.is_empty() {
                return self.answer(request, 0, "").await;
            }
        }
    }
}

fn refused(why: &Unanswered) -> Refused {
    let status = match why {
        Unanswered::Invalid(_) => CANNOT_UNDERSTAND,
        Unanswered::TooMuch(_) => OUT_OF_RESOURCES,
        Unanswered::Failed(_) => UNABLE_TO_PROCESS,
    };
    Refused { status, element: None, comment: why.to_string() }
}
