//! What is written into the log `reading`: the only truth about worklists, claims and verdicts.

use serde::{Deserialize, Serialize};

/// Who did something, as the credential says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The name of the holder.
    pub name: String,
    /// The centre they speak for.
    pub centre: String,
}

impl Person {
    /// Whether both are one person. Somebody may hold tokens of several centres, so the centre says nothing.
    pub(super) fn is(&self, other: &Person) -> bool {
        self.name == other.name
    }
}

/// A reading of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The first reader's.
    First,
    /// The second reader's, who is another person and does not know the first verdict.
    Second,
    /// A third person's, or a group's, where the two differ.
    Adjudication,
}

/// Which items need two readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Double {
    /// All of them.
    All,
    /// All but those that the device itself calls normal.
    DeviceAbnormal,
    /// None: one reader each.
    None,
}

/// What the device that made a recording says of it. It may ask for a second reader; it never closes an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// Normal.
    Normal,
    /// Something else.
    Abnormal,
    /// Nothing, or nothing that is understood.
    #[default]
    Silent,
}

/// The word of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// 異常なし
    Normal,
    /// 経過観察
    FollowUp,
    /// 要受診
    Refer,
}

/// What belongs to a worklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Modality (0008,0060) of a series.
    pub modality: String,
    /// First Study Date, `YYYYMMDD`; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Last Study Date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The centre that sent the study; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<String>,
    /// Which items need two readers.
    pub double: Double,
}

/// A verdict as the page sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// A UUID that the page made: sent again it is the same verdict.
    pub id: String,
    /// The item.
    pub item: String,
    /// The stage it was claimed at.
    pub stage: Stage,
    /// The word.
    pub verdict: Word,
    /// To be acted on at once (緊急).
    #[serde(default, skip_serializing_if = "is_false")]
    pub urgent: bool,
    /// Codes of findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// In the reader's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// 管理区分, where the reader gives one: `A` to `E`, or 管理不要, with the club activity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub management: String,
    /// Milliseconds from the trace's first paint to the key.
    #[serde(default)]
    pub took_ms: u64,
}

fn is_false(it: &bool) -> bool {
    !it
}

/// An item that joins a worklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewItem {
    /// Random: says nothing of the study.
    pub item: String,
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// SOP Instance UID.
    pub instance: String,
    /// The centre that sent it.
    pub centre: String,
    /// Study Date.
    pub date: String,
    /// What the device says.
    #[serde(default)]
    pub device: Device,
}

/// A row of results as it was sent: it is sent again the same, whatever became of the study since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The item.
    pub item: String,
    /// The verdict that decided.
    pub verdict_id: String,
    /// Study Instance UID.
    pub study: String,
    /// Modality of the worklist.
    pub modality: String,
    /// Study Date.
    pub date: String,
    /// Patient's Institution Residence (0038,0400), where the files have it.
    pub school: String,
    /// School year, where it is known.
    pub grade: String,
    /// Class, where it is known.
    pub class: String,
    /// Patient ID.
    pub child: String,
    /// Issuer of Patient ID.
    pub issuer: String,
    /// The centre that sent the study.
    pub centre: String,
    /// `normal`, `follow-up` or `refer`.
    pub verdict: String,
    /// To be acted on at once.
    pub urgent: bool,
    /// Codes of findings.
    pub findings: Vec<String>,
    /// The edition of the table they are of.
    pub edition: String,
    /// What the readers wrote.
    pub text: String,
    /// 管理区分, if one was given.
    pub management: String,
    /// Who read.
    pub readers: Vec<String>,
    /// When it was decided, RFC 3339 in UTC.
    pub decided_at: String,
    /// Sent before with other content.
    pub changed: bool,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A worklist was made.
    WorklistCreated {
        worklist: String,
        name: String,
        #[serde(flatten)]
        filter: Filter,
        by: Person,
    },
    /// Studies joined. `filled`: all there were when it was made are in it now.
    ItemsJoined { worklist: String, items: Vec<NewItem>, filled: bool },
    /// What was taken in up to that number was looked at for all worklists.
    LookedThrough { through: u64 },
    /// Somebody reads these now.
    Claimed { items: Vec<String>, stage: Stage, by: Person, group: bool },
    /// And no longer.
    Released { item: String, by: Person },
    /// A verdict. `counted`: the reading it was taken as, which is another one for a verdict that came late.
    Read { verdict: Verdict, counted: Stage, edition: String, by: Person },
    /// A verdict was taken back.
    Undone { id: String, by: Person },
    /// Results were sent.
    Exported { worklist: String, number: u64, rows: Vec<Row>, by: Person },
    /// The report of a decided item is in the archive.
    Reported { item: String, verdict_id: String },
}
