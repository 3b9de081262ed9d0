//! The command line: every sub-command, its arguments, their defaults and why. The reference in `docs/` is this text.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::tls::TlsFiles;

/// Medical image pipeline and archive: takes DICOM in, keeps it once and bit-exactly, shows it anywhere.
#[derive(Debug, Parser)]
#[command(name = "tsunagu", version, propagate_version = true)]
pub struct Cli {
    /// Directory of the archive; made if there is none.
    #[arg(long, global = true, default_value = "tsunagu-data", env = "TSUNAGU_DATA")]
    pub data: PathBuf,
    /// Print one JSON object as the last line of standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate studies, push them through the real STOW-RS door of a temporary archive, and show them.
    Demo(Demo),
    /// Run the archive: DICOMweb, C-STORE, the viewer; packs what is taken in.
    Serve(Serve),
    /// Take in folders, files, ZIPs and DICOMDIR media from this machine.
    Import(Import),
    /// Send folders, files, ZIPs and DICOMDIR media to an archive that runs elsewhere.
    Push(Push),
    /// Send studies on to other archives, by rules: STOW-RS or C-STORE, in order, until they are acknowledged.
    Forward(Forward),
    /// Run a gateway at a centre or a hospital: C-STORE with what stands there, outbound HTTPS alone with the exchange.
    Gateway(Gateway),
    /// Write files out: as held, or as they were received.
    Export(Export),
    /// Print the receipt of a batch.
    Receipt(Receipt),
    /// Look at what was set aside, and decide about it.
    Quarantine(Quarantine),
    /// Issue and revoke access tokens.
    Token(Token),
    /// Make reading worklists, see how far they are, write results out.
    Reading(Reading),
    /// Look after the audit log.
    Audit(Audit),
    /// Pack what was taken in, now.
    Pack(Pack),
    /// Look after renditions: light lossy derivatives and viewing copies.
    Renditions(Renditions),
    /// Make packs anew that hold codestreams of an older transfer syntax, and one pack of several of a study.
    Repack(Repack),
    /// Delete index and catalogue and make both anew from the objects.
    Rebuild,
    /// Re-read and re-hash everything, and name what is wrong.
    Verify,
    /// Print the OpenAPI description of what `serve` serves, as at /openapi.json.
    Openapi,
    /// Write synthetic studies to a directory.
    Generate(Generate),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the table instead of serving the viewer.
    #[arg(long)]
    pub exit: bool,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Seed of the generated studies.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Generate small images, for a quick look.
    #[arg(long)]
    pub small: bool,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen for HTTP: DICOMweb under /dicom-web, the viewer at /.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where to listen for DICOM associations; none if absent.
    #[arg(long)]
    pub dimse: Option<SocketAddr>,
    /// Our AE title.
    #[arg(long, default_value = "TSUNAGU")]
    pub aet: String,
    /// Where to listen for DICOM associations over TLS; none if absent. Needs --tls-cert and --tls-key.
    #[arg(long)]
    pub dimse_tls_listen: Option<SocketAddr>,
    /// Certificate, key, authorities.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// The DICOM peers (TOML): a table `[[peer]]` for each Application Entity with `ae_title`, `centre`, `roles` (of
    /// `store`, `query`, `retrieve`, `commit`), `address` (`HOST:PORT`, where C-MOVE and commitment reports go), `tls` (it
    /// is called over TLS), `transfer_syntaxes` (it is sent these only; all that can be made if absent), `calling_from`
    /// (addresses it may call from; any if absent) and `certificate_sha256` (of the certificate it has to show).
    #[arg(long = "peers", value_name = "FILE")]
    pub peers_file: Option<PathBuf>,
    /// A calling AE title that may store and ask for storage commitment, and the centre it is: `AET=centre`. May be given
    /// several times; the same title in the peers file counts instead.
    #[arg(long = "peer", value_name = "AET=CENTRE")]
    pub peers: Vec<String>,
    /// Take stores from any calling AE title, as this centre. For a closed network only.
    #[arg(long, value_name = "CENTRE")]
    pub any_peer: Option<String>,
    /// A study is packed once nothing came for it for so many seconds.
    #[arg(long, default_value_t = 60)]
    pub pack_after_s: u64,
    /// Leave what is taken in unpacked (`tsunagu pack` does it later).
    #[arg(long)]
    pub no_pack: bool,
    /// A pack that another replaced is kept for so many seconds, for whoever is still reading it.
    #[arg(long, default_value_t = 86_400)]
    pub replaced_keep_s: u64,
    /// Where readers reach this server, as `https://archive.example`, for the addresses it gives out; without, what a request
    /// says in its Host header. With `https:` the session cookie is sent over HTTPS only.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// An origin whose pages may call DICOMweb, credentials and all, as `https://viewer.example`. May be given several times;
    /// without it only the viewer at / may.
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// Send studies on by these rules (TOML; docs/gateway.md has the keys), as `tsunagu forward` does by itself.
    #[arg(long, value_name = "RULES")]
    pub forward: Option<PathBuf>,
    /// Memory for decoded parts of pictures, for the tiles that are asked for next, in MiB; 0 keeps none.
    #[arg(long, default_value_t = 64)]
    pub cache_mib: usize,
    /// Renditions.
    #[command(flatten)]
    pub renditions: RenditionArgs,
}

/// What TLS is made of.
#[derive(Debug, Args)]
pub struct TlsArgs {
    /// Our certificate, and those between it and its authority (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities (PEM): a DICOM peer must show a certificate of theirs, and those we call are trusted by them. Without,
    /// peers need no certificate, and the authorities of the operating system are trusted.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// The files, where TLS is wanted.
    pub fn files(&self) -> Option<TlsFiles> {
        let (certificate, key) = (self.tls_cert.clone()?, self.tls_key.clone()?);
        Some(TlsFiles { certificate, key, authorities: self.tls_client_ca.clone() })
    }
}

/// Arguments of `forward`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Forward {
    /// What to do; without, follow the change feed and send.
    #[command(subcommand)]
    pub act: Option<ForwardAct>,
    /// The rules (TOML): destinations, which studies go there, and when; docs/gateway.md has the keys.
    #[arg(long, value_name = "RULES")]
    pub rules: Option<PathBuf>,
    /// Read the feed to its end, send what is due, and end: exit code 2 if anything is left.
    #[arg(long)]
    pub once: bool,
}

/// Sub-commands of `forward`.
#[derive(Debug, Subcommand)]
pub enum ForwardAct {
    /// List studies that wait, were refused or given up, with the reason.
    List {
        /// Those that are done, lately, and those cancelled too.
        #[arg(long)]
        all: bool,
    },
    /// Try a study anew, from its first instance; a peer answers what it has as held.
    Retry {
        /// Its number, as listed.
        job: u64,
    },
    /// Do not send a study (what was sent stays sent).
    Cancel {
        /// Its number, as listed.
        job: u64,
    },
}

/// Arguments of `gateway`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Gateway {
    /// What to do; without, run.
    #[command(subcommand)]
    pub act: Option<GatewayAct>,
    /// Where the exchange is: https://exchange.example.
    #[arg(long, value_name = "URL")]
    pub exchange: Option<String>,
    /// A file that holds the bearer token; read for each request, so that a new one counts at once.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where to listen for DICOM associations; none if absent: then nothing is taken over to be sent.
    #[arg(long, value_name = "ADDRESS")]
    pub dimse: Option<SocketAddr>,
    /// Our AE title.
    #[arg(long, default_value = "TSUNAGU")]
    pub aet: String,
    /// A calling AE title that may store. May be given several times; the exchange knows the centre by the token.
    #[arg(long = "peer", value_name = "AET")]
    pub peers: Vec<String>,
    /// Take stores from any calling AE title. For a closed network only.
    #[arg(long)]
    pub any_peer: bool,
    /// Programme of the batches that are sent.
    #[arg(long, value_enum, default_value_t = Programme::Dock)]
    pub programme: Programme,
    /// A batch is closed, and sent, once nothing came for so many seconds.
    #[arg(long, default_value_t = 5)]
    pub quiet_s: u64,
    /// Or once it is so many seconds old.
    #[arg(long, default_value_t = 60)]
    pub age_s: u64,
    /// Follow the exchange's change feed and deliver by these rules (TOML; docs/gateway.md has the keys).
    #[arg(long, value_name = "RULES")]
    pub rules: Option<PathBuf>,
    /// How this gateway is called in objects it changes: Modifying System (0400,0563).
    #[arg(long, default_value = "Tsunagu gateway")]
    pub system: String,
}

/// Sub-commands of `gateway`.
#[derive(Debug, Subcommand)]
pub enum GatewayAct {
    /// Say what is still to be sent and to be delivered; exit code 2 if something waits for a person.
    Status,
    /// List studies that are to be delivered, held back, refused or given up, with the reason.
    List {
        /// Those that are done, lately, and those cancelled too.
        #[arg(long)]
        all: bool,
    },
    /// Try a study anew, from its first instance.
    Retry {
        /// Its number, as listed.
        job: u64,
    },
    /// Do not deliver a study.
    Cancel {
        /// Its number, as listed.
        job: u64,
    },
}

/// Which renditions are made of what is packed.
#[derive(Debug, Args)]
pub struct RenditionArgs {
    /// The table that says which instances get a light lossy derivative (TOML or JSON); `tsunagu renditions policy` prints
    /// the built-in one, which counts if none is given.
    #[arg(long, value_name = "FILE")]
    pub derivative_policy: Option<PathBuf>,
    /// Make no renditions (`tsunagu renditions make` does it later).
    #[arg(long)]
    pub no_renditions: bool,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// Renditions.
    #[command(flatten)]
    pub renditions: RenditionArgs,
}

/// Arguments of `renditions`.
#[derive(Debug, Args)]
pub struct Renditions {
    /// What to do.
    #[command(subcommand)]
    pub act: RenditionsAct,
}

/// Sub-commands of `renditions`.
#[derive(Debug, Subcommand)]
pub enum RenditionsAct {
    /// List them, with what each lost and by how much it is smaller.
    List {
        /// Only those of this study.
        #[arg(long, value_name = "UID")]
        study: Option<String>,
    },
    /// Make what packed instances lack.
    Make {
        /// Only of this study.
        #[arg(long, value_name = "UID")]
        study: Option<String>,
        /// Delete those that are there first, for another policy or coder.
        #[arg(long)]
        remake: bool,
        /// The table that says which instances get a light lossy derivative (TOML or JSON); the built-in one if absent.
        #[arg(long, value_name = "FILE")]
        derivative_policy: Option<PathBuf>,
    },
    /// Delete them. Nothing that was received is touched.
    Delete {
        /// Only those of this study.
        #[arg(long, value_name = "UID")]
        study: Option<String>,
    },
    /// Print the built-in derivative policy, to begin another one with.
    Policy,
}

/// Arguments of `repack`.
#[derive(Debug, Args)]
pub struct Repack {
    /// Every pack, whatever it holds; what was kept as received is tried again too.
    #[arg(long)]
    pub all: bool,
    /// With --all: only packs written before then (RFC 3339), by default now. The time a run began at, given again,
    /// makes it go on where it was stopped.
    #[arg(long, value_name = "TIME", requires = "all")]
    pub written_before: Option<String>,
    /// A pack that another replaced is kept for so many seconds, for whoever is still reading it.
    #[arg(long, default_value_t = 86_400)]
    pub replaced_keep_s: u64,
}

/// What a batch is said to be.
#[derive(Debug, Args)]
pub struct BatchArgs {
    /// Batch id: sending again under the same id repeats nothing and gives the same receipt.
    #[arg(long)]
    pub batch: Option<String>,
    /// Programme the batch belongs to.
    #[arg(long, value_enum, default_value_t = Programme::Dock)]
    pub programme: Programme,
    /// Files the batch is meant to have; default: as many as are found.
    #[arg(long)]
    pub expected: Option<u64>,
    /// Write the receipt here as a page people can read and file (HTML).
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
}

/// Health-check programmes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Programme {
    /// Ningen dock: comprehensive check-up (人間ドック).
    Dock,
    /// Occupational health check (事業者健診).
    Occupational,
    /// School health check (学校健診).
    School,
    /// Cancer screening (がん検診).
    Cancer,
    /// Specific health check (特定健診).
    Specific,
}

impl Programme {
    /// The code as batches have it.
    pub fn code(self) -> &'static str {
        match self {
            Programme::Dock => "dock",
            Programme::Occupational => "occupational",
            Programme::School => "school",
            Programme::Cancer => "cancer",
            Programme::Specific => "specific",
        }
    }
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Folders, files, ZIPs, DICOMDIR media.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The centre the files are from.
    #[arg(long, default_value = "local")]
    pub centre: String,
    /// The batch.
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Leave what is taken in unpacked.
    #[arg(long)]
    pub no_pack: bool,
    /// Renditions.
    #[command(flatten)]
    pub renditions: RenditionArgs,
}

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct Push {
    /// Folders, files, ZIPs, DICOMDIR media.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Where the archive runs, for example https://exchange.example.
    #[arg(long)]
    pub to: String,
    /// Bearer token of the centre.
    #[arg(long, env = "TSUNAGU_TOKEN", hide_env_values = true)]
    pub token: String,
    /// Requests under way at once.
    #[arg(long, default_value_t = 4)]
    pub parallel: usize,
    /// The batch.
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Directory to write to; made if there is none.
    pub to: PathBuf,
    /// Write the received files byte for byte, not the files as held.
    #[arg(long)]
    pub original: bool,
    /// Write the light lossy derivatives, DICOM objects under UIDs of their own. Instances without one are left out.
    #[arg(long, conflicts_with = "original")]
    pub derivatives: bool,
    /// Only this study.
    #[arg(long, value_name = "UID")]
    pub study: Option<String>,
    /// Who asks, for the audit log.
    #[arg(long, default_value = "operator")]
    pub actor: String,
}

/// Arguments of `receipt`.
#[derive(Debug, Args)]
pub struct Receipt {
    /// Batch id.
    pub batch: String,
    /// The centre whose batch it is.
    #[arg(long, default_value = "local")]
    pub centre: String,
    /// Write it here as a page people can read and file (HTML).
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
}

/// Arguments of `quarantine`.
#[derive(Debug, Args)]
pub struct Quarantine {
    /// What to do.
    #[command(subcommand)]
    pub act: QuarantineAct,
}

/// Sub-commands of `quarantine`.
#[derive(Debug, Subcommand)]
pub enum QuarantineAct {
    /// List what is set aside.
    List {
        /// Those already decided about too.
        #[arg(long)]
        all: bool,
    },
    /// Show one, and write its bytes to a file if asked.
    Show {
        /// First digits of its digest.
        digest: String,
        /// Write the file as received here.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
    /// Examine again: it may be admissible now.
    Retry {
        /// First digits of its digest; all if absent.
        digest: Option<String>,
    },
    /// Take it in despite its reason, where it can be kept at all.
    Release {
        /// First digits of its digest.
        digest: String,
        /// Why, for the record.
        #[arg(long)]
        why: String,
        /// Who decides, for the record.
        #[arg(long, default_value = "operator")]
        who: String,
    },
    /// Let its bytes go; its record stays.
    Discard {
        /// First digits of its digest.
        digest: String,
        /// Why, for the record.
        #[arg(long)]
        why: String,
        /// Who decides, for the record.
        #[arg(long, default_value = "operator")]
        who: String,
    },
}

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// What to do.
    #[command(subcommand)]
    pub act: TokenAct,
}

/// Sub-commands of `token`.
#[derive(Debug, Subcommand)]
pub enum TokenAct {
    /// Issue a token and print it, once.
    Issue {
        /// Who it is for.
        name: String,
        /// What it may do: an uploader sends, a reader views, downloads and annotates, an admin does all.
        #[arg(long, value_enum)]
        role: Role,
        /// The centre its holder sends or reads for.
        #[arg(long, default_value = "local")]
        centre: String,
        /// A reader may also fetch received files byte for byte.
        #[arg(long)]
        original: bool,
        /// A reader may also claim items of worklists and give verdicts.
        #[arg(long)]
        reads: bool,
        /// A reader may also fetch the results of readings: for the school hub and the like, not for who reads.
        #[arg(long)]
        results: bool,
        /// It expires after so many days.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List tokens; never their secrets.
    List,
    /// Make a token worthless from now on.
    Revoke {
        /// Its id, as listed.
        id: String,
    },
}

/// Roles of a token.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// Sends.
    Uploader,
    /// Views and downloads.
    Reader,
    /// Does all.
    Admin,
}

/// Arguments of `reading`.
#[derive(Debug, Args)]
pub struct Reading {
    /// What to do.
    #[command(subcommand)]
    pub act: ReadingAct,
}

/// What can be done about readings here; reading itself is done in the viewer.
#[derive(Debug, Subcommand)]
pub enum ReadingAct {
    /// Make a worklist: studies of a modality, those that come later too.
    Create(NewWorklist),
    /// List worklists and how far they are.
    List,
    /// Send what is new or changed of a worklist: an export with a number, written to a file.
    Results(ReadingResults),
}

/// Arguments of `reading create`.
#[derive(Debug, Args)]
pub struct NewWorklist {
    /// What readers call it.
    pub name: String,
    /// Modality of the series that are read.
    #[arg(long, default_value = "ECG")]
    pub modality: String,
    /// First study date, YYYYMMDD.
    #[arg(long, value_name = "DATE")]
    pub from: Option<String>,
    /// Last study date, YYYYMMDD.
    #[arg(long, value_name = "DATE")]
    pub to: Option<String>,
    /// Only what this centre sent.
    #[arg(long)]
    pub centre: Option<String>,
    /// Which items need two readers. What a device calls normal is read by a person in any case.
    #[arg(long, value_enum, default_value_t = DoubleReading::All)]
    pub double: DoubleReading,
}

/// Which items need two readers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DoubleReading {
    /// All of them.
    All,
    /// All but those that the device itself calls normal.
    DeviceAbnormal,
    /// None.
    None,
}

/// Arguments of `reading results`.
#[derive(Debug, Args)]
pub struct ReadingResults {
    /// The worklist's id, as listed.
    pub worklist: String,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// An earlier export, again and just the same; without it a new one is made.
    #[arg(long, value_name = "NUMBER")]
    pub export: Option<u64>,
    /// The form.
    #[arg(long, value_enum, default_value_t = ResultsForm::Csv)]
    pub form: ResultsForm,
}

/// In which form results are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ResultsForm {
    /// CSV in UTF-8 with a byte order mark.
    Csv,
    /// A FHIR R4 bundle.
    Fhir,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// What to do.
    #[command(subcommand)]
    pub act: AuditAct,
}

/// Sub-commands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditAct {
    /// Check the chain of the audit log, and of the other event logs, from the first line to the last.
    Verify,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// Directory to write to; made if there is none.
    pub to: PathBuf,
    /// The mix of studies.
    #[arg(long, value_enum, default_value_t = Profile::Night)]
    pub profile: Profile,
    /// How many studies; how many children of a school.
    #[arg(long, default_value_t = 20)]
    pub studies: usize,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Small images, for tests.
    #[arg(long)]
    pub small: bool,
}

/// Mixes of studies.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Profile {
    /// What a screening centre sends in a night.
    Night,
    /// A school year's heart screening: so many first-years, each with an ECG as DICOM or MFER, some with an earlier one.
    School,
    /// What viewers are timed with: a mammogram of 4096 x 6144 x 12 bits, and a CT of 300 slices.
    Viewer,
    /// Files that are broken on purpose.
    Broken,
}
