//! What this program agrees to when an association is opened (PS3.8 §7.1, PS3.7 Annex D).

use std::collections::BTreeMap;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceUserReason, AssociationRJSource,
    AssociationRQ, PresentationContextProposed, PresentationContextResult, PresentationContextResultReason,
    UserVariableItem,
};

use super::meta::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Verification SOP Class.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";

/// An accepted presentation context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Verification or a storage SOP class.
    pub abstract_syntax: String,
    /// As proposed first.
    pub transfer_syntax: String,
}

/// A rejection that will not change by itself.
pub fn rejection(reason: AssociationRJServiceUserReason) -> AssociationRJ {
    AssociationRJ { result: AssociationRJResult::Permanent, source: AssociationRJSource::ServiceUser(reason) }
}

/// The acceptance of `request`, and its contexts by their ID.
///
/// # Errors
/// The rejection, where this is not DICOM's application context.
pub fn accept(
    request: &AssociationRQ,
    pdu_bytes_max: u32,
) -> Result<(AssociationAC, BTreeMap<u8, Context>), AssociationRJ> {
    if trimmed(&request.application_context_name) != APPLICATION_CONTEXT {
        return Err(rejection(AssociationRJServiceUserReason::ApplicationContextNameNotSupported));
    }
    let mut contexts = BTreeMap::new();
    let results = request.presentation_contexts.iter().map(|proposed| answer(proposed, &mut contexts));
    let accepted = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: results.collect(),
        user_variables: vec![
            UserVariableItem::MaxLength(pdu_bytes_max),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
        ],
    };
    Ok((accepted, contexts))
}

fn answer(proposed: &PresentationContextProposed, contexts: &mut BTreeMap<u8, Context>) -> PresentationContextResult {
    let abstract_syntax = trimmed(&proposed.abstract_syntax);
    let reason = match choose(&proposed.transfer_syntaxes) {
        _ if abstract_syntax != VERIFICATION && !is_storage(&abstract_syntax) => {
            PresentationContextResultReason::AbstractSyntaxNotSupported
        }
        None => PresentationContextResultReason::TransferSyntaxesNotSupported,
        Some(transfer_syntax) => {
            contexts.insert(proposed.id, Context { abstract_syntax, transfer_syntax });
            PresentationContextResultReason::Acceptance
        }
    };
    let chosen = contexts.get(&proposed.id).map(|context| context.transfer_syntax.clone());
    let transfer_syntax = chosen.unwrap_or_else(|| IMPLICIT_VR_LITTLE_ENDIAN.into());
    PresentationContextResult { id: proposed.id, reason, transfer_syntax }
}

/// The first proposed: the sender's own, so that nothing is converted on its way. The JPIP syntaxes bring an address
/// in place of pixels (PS3.5 Annex A.6), so they are taken only where nothing else is offered.
fn choose(proposed: &[String]) -> Option<String> {
    let mut proposed = proposed.iter().map(|uid| trimmed(uid)).filter(|uid| !uid.is_empty() && uid.len() <= 64);
    let first = proposed.next()?;
    Some(if is_by_reference(&first) { proposed.find(|uid| !is_by_reference(uid)).unwrap_or(first) } else { first })
}

fn is_by_reference(transfer_syntax: &str) -> bool {
    let jpip = ["94", "95", "204", "205"];
    transfer_syntax.strip_prefix("1.2.840.10008.1.2.4.").is_some_and(|last| jpip.contains(&last))
}

/// Any storage SOP class, private and unknown ones too. Of DICOM's own only those that are services are not: a peer
/// that was promised a query, a worklist or a print would wait for it.
fn is_storage(abstract_syntax: &str) -> bool {
    let Some(standard) = abstract_syntax.strip_prefix("1.2.840.10008.") else {
        return !abstract_syntax.is_empty() && abstract_syntax.len() <= 64;
    };
    // Protocol approval and inventory queries lie among the storage classes (PS3.4 Annexes II, LL).
    let services = ["200.4", "200.5", "200.6", "201.2", "201.3", "201.4", "201.5", "201.6"];
    // Templates, hanging protocols, palettes and RT instructions are stored too; hardcopy once was (PS3.4 Annexes B, GG).
    let others = [
        "5.1.1.27",
        "5.1.1.29",
        "5.1.1.30",
        "5.1.4.34.7",
        "5.1.4.34.10",
        "5.1.4.38.1",
        "5.1.4.39.1",
        "5.1.4.43.1",
        "5.1.4.44.1",
        "5.1.4.45.1",
    ];
    match standard.strip_prefix("5.1.4.1.1.") {
        Some(class) => !services.contains(&class),
        None => others.contains(&standard),
    }
}

fn trimmed(uid: &str) -> String {
    uid.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Storage of any kind is agreed to, also private; services this program does not give are not.
    #[test]
    fn storage_of_any_kind_is_agreed_to() {
        let check = |uid: &str, expected| assert_eq!(is_storage(uid), expected, "{uid}");
        check("1.2.840.10008.5.1.4.1.1.2", true);
        check("1.2.840.10008.5.1.4.1.1.999.7", true);
        check("1.2.840.113619.4.27", true);
        check("1.2.840.10008.5.1.4.38.1", true);
        check("1.2.840.10008.5.1.4.1.2.2.1", false);
        check("1.2.840.10008.5.1.4.31", false);
        check("1.2.840.10008.1.20.1", false);
        check("", false);
    }

    /// The sender's first transfer syntax is taken, unless it brings no pixels and another does.
    #[test]
    fn the_first_transfer_syntax_is_taken() {
        let check = |proposed: &[&str], expected: Option<&str>| {
            let proposed: Vec<_> = proposed.iter().map(|uid| (*uid).to_owned()).collect();
            assert_eq!(choose(&proposed).as_deref(), expected, "{proposed:?}");
        };
        check(&["1.2.840.10008.1.2.4.70\0", "1.2.840.10008.1.2"], Some("1.2.840.10008.1.2.4.70"));
        check(&["1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.1"], Some("1.2.840.10008.1.2.1"));
        check(&["1.2.840.10008.1.2.4.94"], Some("1.2.840.10008.1.2.4.94"));
        check(&["1.2.3.private"], Some("1.2.3.private"));
        check(&[], None);
    }
}
