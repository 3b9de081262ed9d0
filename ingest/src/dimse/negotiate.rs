//! What this program agrees to when an association is opened (PS3.8 §7.1, PS3.7 Annex D).

use std::collections::BTreeMap;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceUserReason, AssociationRJSource,
    AssociationRQ, PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};

pub use transcode::data_set::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

use super::meta::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use super::service::Service;

/// Fields of the extended negotiation of queries (PS3.4 Table C.5-1).
const EXTENDED_BYTES_MAX: usize = 5;
/// DICOM's application context.
pub const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// What queries, and everything else that is no image, are exchanged in, the best first.
pub const PLAIN: &[&str] = &[EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN];
/// What instances are sent in by C-GET, the best first: as held, then lossless and plain.
const SENT_BY_GET: &[&str] = &[
    "1.2.840.10008.1.2.4.202",
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
];

/// An accepted presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// What is done on it.
    pub service: Service,
    /// The SOP class.
    pub abstract_syntax: String,
    /// What was agreed on.
    pub transfer_syntax: String,
    /// The peer takes instances on it: role selection made it an SCP (PS3.7 §D.3.3.4).
    pub to_peer: bool,
    /// What extended negotiation agreed on (PS3.4 §C.5.1.1).
    pub extended: Extended,
}

/// How queries and retrievals go beyond the baseline (PS3.4 §C.5.1.1, §C.5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Keys of the levels above may be left out.
    pub relational: bool,
    /// A date and its time are one range.
    pub combined: bool,
    /// Names are matched by what they mean.
    pub fuzzy: bool,
}

impl Extended {
    /// What is agreed to of what is asked: for C-FIND all three, for C-MOVE and C-GET the first.
    fn of(information: &[u8], service: Service) -> Extended {
        let asked = |at: usize| information.get(at) == Some(&1);
        match service {
            Service::Find(_) => Extended { relational: asked(0), combined: asked(1), fuzzy: asked(2) },
            Service::Move(_) | Service::Get(_) => Extended { relational: asked(0), ..Extended::default() },
            _ => Extended::default(),
        }
    }

    /// The answer, as long as what was asked: what is not known here is not supported.
    fn information(self, length: usize) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.relational), u8::from(self.combined), u8::from(self.fuzzy)];
        bytes.resize(length.min(EXTENDED_BYTES_MAX), 0);
        bytes
    }
}

/// What is there to be agreed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offers {
    /// The largest P-DATA PDU taken.
    pub pdu_bytes_max: u32,
    /// Query and retrieve.
    pub query_retrieve: bool,
    /// Storage commitment.
    pub commitment: bool,
}

/// A rejection that will not change by itself.
pub fn rejection(reason: AssociationRJServiceUserReason) -> AssociationRJ {
    AssociationRJ { result: AssociationRJResult::Permanent, source: AssociationRJSource::ServiceUser(reason) }
}

/// The acceptance of `request`, and its contexts by their ID. Asynchronous operations are not agreed to, so there is
/// one at a time (PS3.7 §D.3.3.3); user identity is not asked for, and needs no answer then (§D.3.3.7).
///
/// # Errors
/// The rejection, where this is not DICOM's application context.
pub fn accept(
    request: &AssociationRQ,
    offers: Offers,
) -> Result<(AssociationAC, BTreeMap<u8, Context>), AssociationRJ> {
    if trimmed(&request.application_context_name) != APPLICATION_CONTEXT {
        return Err(rejection(AssociationRJServiceUserReason::ApplicationContextNameNotSupported));
    }
    let asked = Asked::of(request, offers);
    let mut contexts = BTreeMap::new();
    let results = request.presentation_contexts.iter().map(|proposed| asked.answer(proposed, &mut contexts)).collect();
    let mut user_variables = vec![
        UserVariableItem::MaxLength(offers.pdu_bytes_max),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
    ];
    asked.negotiated(&contexts, &mut user_variables);
    let accepted = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: results,
        user_variables,
    };
    Ok((accepted, contexts))
}

/// What a request asks beside its presentation contexts.
struct Asked {
    offers: Offers,
    /// Role selection by SOP class.
    roles: BTreeMap<String, RequestorRoles>,
    /// Extended negotiation by SOP class: the information as it was asked.
    extended: BTreeMap<String, Vec<u8>>,
    /// There is a context for C-GET.
    gets: bool,
}

impl Asked {
    fn of(request: &AssociationRQ, offers: Offers) -> Asked {
        let (mut roles, mut extended) = (BTreeMap::new(), BTreeMap::new());
        for item in &request.user_variables {
            match item {
                UserVariableItem::ScuScpRoleSelectionSubItem(uid, asked) => {
                    roles.insert(trimmed(uid), *asked);
                }
                UserVariableItem::SopClassExtendedNegotiationSubItem(uid, information) => {
                    extended.insert(trimmed(uid), information.clone());
                }
                _ => (),
            }
        }
        let is_get = |uid: &str| matches!(Service::of(&trimmed(uid)), Some(Service::Get(_)));
        let gets = offers.query_retrieve && request.presentation_contexts.iter().any(|c| is_get(&c.abstract_syntax));
        Asked { offers, roles, extended, gets }
    }

    /// What the requestor may be for a SOP class (PS3.7 §D.3.3.4): an SCU of any service; an SCP of storage, where it
    /// means to get.
    fn role(&self, abstract_syntax: &str, service: Service) -> Option<RequestorRoles> {
        let asked = self.roles.get(abstract_syntax)?;
        let scp = asked.scp && self.gets && service == Service::Storage;
        Some(RequestorRoles { scu: asked.scu, scp })
    }

    fn service(&self, abstract_syntax: &str) -> Option<Service> {
        Service::of(abstract_syntax).filter(|service| match service {
            Service::Verification | Service::Storage => true,
            Service::Find(_) | Service::Move(_) | Service::Get(_) => self.offers.query_retrieve,
            Service::Commitment => self.offers.commitment,
        })
    }

    fn answer(
        &self,
        proposed: &PresentationContextProposed,
        contexts: &mut BTreeMap<u8, Context>,
    ) -> PresentationContextResult {
        let answered = self.context(proposed);
        let (reason, transfer_syntax) = match answered {
            Ok(context) => {
                let transfer_syntax = context.transfer_syntax.clone();
                contexts.insert(proposed.id, context);
                (PresentationContextResultReason::Acceptance, transfer_syntax)
            }
            Err(reason) => (reason, IMPLICIT_VR_LITTLE_ENDIAN.into()),
        };
        PresentationContextResult { id: proposed.id, reason, transfer_syntax }
    }

    fn context(&self, proposed: &PresentationContextProposed) -> Result<Context, PresentationContextResultReason> {
        let abstract_syntax = trimmed(&proposed.abstract_syntax);
        let service =
            self.service(&abstract_syntax).ok_or(PresentationContextResultReason::AbstractSyntaxNotSupported)?;
        let role = self.role(&abstract_syntax, service).unwrap_or(RequestorRoles { scu: true, scp: false });
        if !role.scu && !role.scp {
            return Err(PresentationContextResultReason::UserRejection);
        }
        let chosen = match service {
            Service::Storage if role.scp => preferred(&proposed.transfer_syntaxes, SENT_BY_GET),
            Service::Storage => first(&proposed.transfer_syntaxes),
            Service::Verification => preferred(&proposed.transfer_syntaxes, PLAIN),
            _ => among(&proposed.transfer_syntaxes, PLAIN),
        };
        let transfer_syntax = chosen.ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)?;
        let asked = self.extended.get(&abstract_syntax).map(Vec::as_slice).unwrap_or_default();
        let extended = Extended::of(asked, service);
        Ok(Context { service, abstract_syntax, transfer_syntax, to_peer: role.scp, extended })
    }

    /// The sub-items that answer role selection and extended negotiation, for the SOP classes that were accepted.
    fn negotiated(&self, contexts: &BTreeMap<u8, Context>, items: &mut Vec<UserVariableItem>) {
        let accepted: BTreeMap<&str, &Context> =
            contexts.values().map(|context| (context.abstract_syntax.as_str(), context)).collect();
        for (uid, context) in accepted {
            if let Some(role) = self.role(uid, context.service) {
                items.push(UserVariableItem::ScuScpRoleSelectionSubItem(uid.to_owned(), role));
            }
            if let Some(asked) = self.extended.get(uid).filter(|_| is_query(context.service)) {
                let information = context.extended.information(asked.len());
                items.push(UserVariableItem::SopClassExtendedNegotiationSubItem(uid.to_owned(), information));
            }
        }
    }
}

fn is_query(service: Service) -> bool {
    matches!(service, Service::Find(_) | Service::Move(_) | Service::Get(_))
}

/// The first proposed: the sender's own, so that nothing is converted on its way. The JPIP syntaxes bring an address
/// in place of pixels (PS3.5 Annex A.6), so they are taken only where nothing else is offered.
fn first(proposed: &[String]) -> Option<String> {
    let mut proposed = well_formed(proposed);
    let first = proposed.next()?;
    Some(if is_by_reference(&first) { proposed.find(|uid| !is_by_reference(uid)).unwrap_or(first) } else { first })
}

/// The best by our own order; the first proposed where none of them is.
fn preferred(proposed: &[String], order: &[&str]) -> Option<String> {
    among(proposed, order).or_else(|| first(proposed))
}

/// The first of `order` that is proposed.
fn among(proposed: &[String], order: &[&str]) -> Option<String> {
    let proposed: Vec<String> = well_formed(proposed).collect();
    order.iter().find(|uid| proposed.iter().any(|one| one == *uid)).map(|uid| (*uid).to_owned())
}

fn well_formed(proposed: &[String]) -> impl Iterator<Item = String> {
    proposed.iter().map(|uid| trimmed(uid)).filter(|uid| !uid.is_empty() && uid.len() <= 64)
}

fn is_by_reference(transfer_syntax: &str) -> bool {
    let jpip = ["94", "95", "204", "205"];
    transfer_syntax.strip_prefix("1.2.840.10008.1.2.4.").is_some_and(|last| jpip.contains(&last))
}

/// A UID without its padding.
pub fn trimmed(uid: &str) -> String {
    uid.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
    const FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
    const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";

    fn request(contexts: &[(&str, &[&str])], user_variables: Vec<UserVariableItem>) -> AssociationRQ {
        let context = |(at, (uid, syntaxes)): (usize, &(&str, &[&str]))| PresentationContextProposed {
            id: 2 * at as u8 + 1,
            abstract_syntax: (*uid).into(),
            transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).into()).collect(),
        };
        AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "A".into(),
            called_ae_title: "B".into(),
            application_context_name: APPLICATION_CONTEXT.into(),
            presentation_contexts: contexts.iter().enumerate().map(context).collect(),
            user_variables,
        }
    }

    fn all() -> Offers {
        Offers { pdu_bytes_max: 1 << 16, query_retrieve: true, commitment: true }
    }

    /// PS3.7 §D.3.3.4: a peer that gets becomes an SCP of storage, and only of that; one that asks for no role is an
    /// SCU and gets no sub-item back.
    #[test]
    fn role_selection_is_answered_for_c_get() {
        let role =
            |uid: &str, scu, scp| UserVariableItem::ScuScpRoleSelectionSubItem(uid.into(), RequestorRoles { scu, scp });
        let check = |contexts: &[(&str, &[&str])], asked: Vec<UserVariableItem>, expected: &[(&str, bool, bool)]| {
            let (accepted, _) = accept(&request(contexts, asked), all()).unwrap();
            let found: Vec<_> = accepted.user_variables.into_iter().skip(3).collect();
            let expected: Vec<_> = expected.iter().map(|(uid, scu, scp)| role(uid, *scu, *scp)).collect();
            assert_eq!(found, expected);
        };
        let (plain, htj2k) = ([EXPLICIT_VR_LITTLE_ENDIAN], [EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.202"]);
        let get: &[(&str, &[&str])] = &[(GET, &plain), (CT, &htj2k)];
        check(get, vec![role(CT, false, true)], &[(CT, false, true)]);
        check(get, vec![role(CT, true, true), role(GET, true, true)], &[(CT, true, true), (GET, true, false)]);
        check(get, vec![], &[]);
        check(&[(CT, &plain)], vec![role(CT, true, true)], &[(CT, true, false)]);
        let (_, contexts) = accept(&request(get, vec![role(CT, false, true)]), all()).unwrap();
        assert!(contexts[&3].to_peer && contexts[&3].transfer_syntax == htj2k[1], "as held is preferred");
        let (_, contexts) = accept(&request(get, vec![]), all()).unwrap();
        assert!(!contexts[&3].to_peer && contexts[&3].transfer_syntax == htj2k[0], "a sender's first is taken");
        let refused = accept(&request(&[(CT, &plain)], vec![role(CT, false, true)]), all()).unwrap().0;
        assert_eq!(refused.presentation_contexts[0].reason, PresentationContextResultReason::UserRejection);
    }

    /// Queries are taken in Explicit VR Little Endian if it is proposed, else Implicit, else not.
    #[test]
    fn queries_are_negotiated_in_plain_transfer_syntaxes() {
        let check = |proposed: &[&str], offers: Offers, expected: Result<&str, PresentationContextResultReason>| {
            let (accepted, contexts) = accept(&request(&[(FIND, proposed)], vec![]), offers).unwrap();
            let found = &accepted.presentation_contexts[0];
            match expected {
                Ok(uid) => assert_eq!((found.transfer_syntax.as_str(), contexts.len()), (uid, 1)),
                Err(reason) => assert_eq!((&found.reason, contexts.len()), (&reason, 0)),
            }
        };
        check(&[IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN], all(), Ok(EXPLICIT_VR_LITTLE_ENDIAN));
        check(&["1.2.840.10008.1.2.2", IMPLICIT_VR_LITTLE_ENDIAN], all(), Ok(IMPLICIT_VR_LITTLE_ENDIAN));
        let reason = PresentationContextResultReason::TransferSyntaxesNotSupported;
        check(&["1.2.840.10008.1.2.2"], all(), Err(reason));
        let reason = PresentationContextResultReason::AbstractSyntaxNotSupported;
        check(&[IMPLICIT_VR_LITTLE_ENDIAN], Offers { query_retrieve: false, ..all() }, Err(reason));
    }

    /// PS3.4 §C.5.1.1, §C.5.2.1: relational queries, combined date-time and fuzzy name matching are agreed to where they
    /// are asked for; time zones and enhanced multi-frame conversion are not, nor is anything but relational for C-GET.
    #[test]
    fn extended_negotiation_is_answered() {
        let check = |uid: &str, information: &[u8], answer: &[u8], agreed: [bool; 3]| {
            let item = |bytes: &[u8]| UserVariableItem::SopClassExtendedNegotiationSubItem(uid.into(), bytes.to_vec());
            let asked = request(&[(uid, &[IMPLICIT_VR_LITTLE_ENDIAN])], vec![item(information)]);
            let (accepted, contexts) = accept(&asked, all()).unwrap();
            let [relational, combined, fuzzy] = agreed;
            assert_eq!(accepted.user_variables.last(), Some(&item(answer)));
            assert_eq!(contexts[&1].extended, Extended { relational, combined, fuzzy });
        };
        check(FIND, &[1, 1, 1, 1, 1], &[1, 1, 1, 0, 0], [true, true, true]);
        check(FIND, &[1], &[1], [true, false, false]);
        check(FIND, &[0, 0, 1], &[0, 0, 1], [false, false, true]);
        check(FIND, &[2, 1], &[0, 1], [false, true, false]);
        check(GET, &[1, 1], &[1, 0], [true, false, false]);
        check(FIND, &[1; 9], &[1, 1, 1, 0, 0], [true, true, true]);
    }

    /// Asynchronous operations and user identity are not negotiated: no sub-item answers them (PS3.7 §D.3.3.3, §D.3.3.7).
    #[test]
    fn asynchronous_operations_and_user_identity_are_not_negotiated() {
        use dicom_ul::pdu::{UserIdentity, UserIdentityType};
        let identity = UserIdentity::new(false, UserIdentityType::Username, b"x".to_vec(), vec![]);
        let asked =
            vec![UserVariableItem::Unknown(0x53, vec![0, 5, 0, 5]), UserVariableItem::UserIdentityItem(identity)];
        let (accepted, contexts) = accept(&request(&[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN])], asked), all()).unwrap();
        assert_eq!((accepted.user_variables.len(), contexts.len()), (3, 1));
    }

    /// The sender's first transfer syntax is taken, unless it brings no pixels and another does.
    #[test]
    fn the_first_transfer_syntax_is_taken() {
        let check = |proposed: &[&str], expected: Option<&str>| {
            let proposed: Vec<_> = proposed.iter().map(|uid| (*uid).to_owned()).collect();
            assert_eq!(first(&proposed).as_deref(), expected, "{proposed:?}");
        };
        check(&["1.2.840.10008.1.2.4.70\0", "1.2.840.10008.1.2"], Some("1.2.840.10008.1.2.4.70"));
        check(&["1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.1"], Some("1.2.840.10008.1.2.1"));
        check(&["1.2.840.10008.1.2.4.94"], Some("1.2.840.10008.1.2.4.94"));
        check(&["1.2.3.private"], Some("1.2.3.private"));
        check(&[], None);
    }
}
