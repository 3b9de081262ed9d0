//! The table of services by abstract syntax (PS3.4 Annexes A, B, C, J; PS3.6 Table A-1).

use super::command::{C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, C_STORE_RQ, N_ACTION_RQ};

/// Verification SOP Class.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Storage Commitment Push Model SOP Class.
pub const STORAGE_COMMITMENT: &str = "1.2.840.10008.1.20.1";
/// Its well-known instance (PS3.4 §J.3.5).
pub const STORAGE_COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// Which information model a query follows (PS3.4 §C.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Patient, study, series, image.
    Patient,
    /// Study, series, image; the patient's attributes are the study's.
    Study,
}

/// What is done on a presentation context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// C-ECHO.
    Verification,
    /// C-STORE, to us or from us.
    Storage,
    /// C-FIND.
    Find(Root),
    /// C-MOVE.
    Move(Root),
    /// C-GET.
    Get(Root),
    /// N-ACTION and N-EVENT-REPORT.
    Commitment,
}

/// Every service that is not storage.
const SERVICES: &[(&str, Service)] = &[
    (VERIFICATION, Service::Verification),
    (STORAGE_COMMITMENT, Service::Commitment),
    ("1.2.840.10008.5.1.4.1.2.1.1", Service::Find(Root::Patient)),
    ("1.2.840.10008.5.1.4.1.2.1.2", Service::Move(Root::Patient)),
    ("1.2.840.10008.5.1.4.1.2.1.3", Service::Get(Root::Patient)),
    ("1.2.840.10008.5.1.4.1.2.2.1", Service::Find(Root::Study)),
    ("1.2.840.10008.5.1.4.1.2.2.2", Service::Move(Root::Study)),
    ("1.2.840.10008.5.1.4.1.2.2.3", Service::Get(Root::Study)),
];

impl Service {
    /// The service of an abstract syntax, `None` for what is not offered.
    pub fn of(abstract_syntax: &str) -> Option<Service> {
        let named = SERVICES.iter().find(|(uid, _)| *uid == abstract_syntax);
        named.map(|(_, service)| *service).or_else(|| is_storage(abstract_syntax).then_some(Service::Storage))
    }

    /// Whether a request belongs on a context of this service. C-ECHO does on any.
    pub fn takes(self, field: u16) -> bool {
        match self {
            Service::Verification => false,
            Service::Storage => field == C_STORE_RQ,
            Service::Find(_) => field == C_FIND_RQ,
            Service::Move(_) => field == C_MOVE_RQ,
            Service::Get(_) => field == C_GET_RQ,
            Service::Commitment => field == N_ACTION_RQ,
        }
    }
}

/// Any storage SOP class, private and unknown ones too. Of DICOM's own only those that are services are not: a peer
/// that was promised a worklist or a print would wait for it.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Storage of any kind is agreed to, also private; services this program does not give are not.
    #[test]
    fn storage_of_any_kind_is_agreed_to() {
        let check = |uid: &str, expected| assert_eq!(Service::of(uid), expected, "{uid}");
        check("1.2.840.10008.5.1.4.1.1.2", Some(Service::Storage));
        check("1.2.840.10008.5.1.4.1.1.999.7", Some(Service::Storage));
        check("1.2.840.113619.4.27", Some(Service::Storage));
        check("1.2.840.10008.5.1.4.38.1", Some(Service::Storage));
        check("1.2.840.10008.5.1.4.1.2.2.1", Some(Service::Find(Root::Study)));
        check("1.2.840.10008.1.20.1", Some(Service::Commitment));
        check("1.2.840.10008.5.1.4.31", None);
        check("1.2.840.10008.5.1.4.1.2.3.1", None);
        check("", None);
    }
}
