//! The one table of what is served and what each needs. The router is built from it, so nothing is served beside it.

use super::Permission;

/// What a request has to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the page itself, and the ways to sign in.
    Nothing,
    /// A good credential with this permission.
    Permission(Permission),
}

/// A service of the read side (PS3.18 §10.4, §10.6, and our own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Search for studies.
    SearchStudies,
    /// Search for series of all studies.
    SearchSeries,
    /// Search for instances of all studies.
    SearchInstances,
    /// Search for the series of a study.
    SearchSeriesOfStudy,
    /// Search for the instances of a study.
    SearchInstancesOfStudy,
    /// Search for the instances of a series.
    SearchInstancesOfSeries,
    /// Retrieve a study.
    RetrieveStudy,
    /// Retrieve a series.
    RetrieveSeries,
    /// Retrieve an instance.
    RetrieveInstance,
    /// The file as it was received.
    RetrieveOriginal,
    /// Metadata of a study.
    MetadataOfStudy,
    /// Metadata of a series.
    MetadataOfSeries,
    /// Metadata of an instance.
    MetadataOfInstance,
    /// Everything a viewer needs to open a study.
    StudyManifest,
    /// Frames as held, or decoded.
    RetrieveFrames,
    /// A value that is not in the metadata.
    RetrieveBulkdata,
    /// All values of a study that are not in the metadata.
    BulkdataOfStudy,
    /// All values of a series that are not in the metadata.
    BulkdataOfSeries,
    /// All values of an instance that are not in the metadata.
    BulkdataOfInstance,
    /// Every frame of a study, drawn.
    RenderedStudy,
    /// Every frame of a series, drawn.
    RenderedSeries,
    /// An instance, drawn: its first frame, or all of them; a report as a page.
    RenderedInstance,
    /// A frame, drawn.
    RenderedFrame,
    /// A small picture of a study.
    ThumbnailOfStudy,
    /// A small picture of a series.
    ThumbnailOfSeries,
    /// A small picture of an instance.
    ThumbnailOfInstance,
    /// A small picture of a frame.
    ThumbnailOfFrame,
    /// The base URI of a IIIF image: the way to its information.
    IiifBase,
    /// What a IIIF image is.
    IiifInfo,
    /// A region of a IIIF image in a size.
    IiifImage,
    /// What the archive did, in order.
    Changes,
    /// Search for studies with what is searched for in the body, so that no address has a name in it.
    ListStudies,
    /// The worklists; a new one.
    Worklists,
    /// Claim items of a worklist.
    Claim,
    /// Give an item up.
    Release,
    /// Save verdicts.
    Verdicts,
    /// Take a verdict back.
    Undo,
    /// Codes of findings.
    Codes,
    /// Results that were sent; send what is new.
    Exports,
    /// Results as CSV.
    ResultsCsv,
    /// Results as FHIR.
    ResultsFhir,
    /// A result as a DICOM report.
    ReportOfVerdict,
    /// An instance named in the query: WADO-URI.
    WadoUri,
    /// What is served.
    Capabilities,
    /// Exchange a token for a session cookie, or end the session.
    Session,
    /// Exchange the code of a one-time link for a session cookie.
    SignIn,
    /// The description of all of this.
    Description,
    /// The page.
    Page,
    /// The page, with a study opened.
    PageOfStudy,
    /// What the page loads.
    Asset,
}

const VIEW: Needs = Needs::Permission(Permission::View);
const DOWNLOAD: Needs = Needs::Permission(Permission::Download);
const READ: Needs = Needs::Permission(Permission::Read);
const RESULTS: Needs = Needs::Permission(Permission::Results);
const ORIGINAL: Needs = Needs::Permission(Permission::Original);

/// Every service with its path and what it needs.
pub const ROUTES: &[(Service, &str, Needs)] = &[
    (Service::SearchStudies, "/dicom-web/studies", VIEW),
    (Service::SearchSeries, "/dicom-web/series", VIEW),
    (Service::SearchInstances, "/dicom-web/instances", VIEW),
    (Service::SearchSeriesOfStudy, "/dicom-web/studies/{study}/series", VIEW),
    (Service::SearchInstancesOfStudy, "/dicom-web/studies/{study}/instances", VIEW),
    (Service::SearchInstancesOfSeries, "/dicom-web/studies/{study}/series/{series}/instances", VIEW),
    (Service::RetrieveStudy, "/dicom-web/studies/{study}", DOWNLOAD),
    (Service::RetrieveSeries, "/dicom-web/studies/{study}/series/{series}", DOWNLOAD),
    (Service::RetrieveInstance, "/dicom-web/studies/{study}/series/{series}/instances/{instance}", DOWNLOAD),
    (Service::RetrieveOriginal, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/original", ORIGINAL),
    (Service::MetadataOfStudy, "/dicom-web/studies/{study}/metadata", VIEW),
    (Service::MetadataOfSeries, "/dicom-web/studies/{study}/series/{series}/metadata", VIEW),
    (Service::MetadataOfInstance, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata", VIEW),
    (Service::StudyManifest, "/dicom-web/studies/{study}/manifest", VIEW),
    (Service::RetrieveFrames, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", VIEW),
    (
        Service::RetrieveBulkdata,
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{*path}",
        VIEW,
    ),
    (Service::BulkdataOfStudy, "/dicom-web/studies/{study}/bulkdata", VIEW),
    (Service::BulkdataOfSeries, "/dicom-web/studies/{study}/series/{series}/bulkdata", VIEW),
    (Service::BulkdataOfInstance, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata", VIEW),
    (Service::RenderedStudy, "/dicom-web/studies/{study}/rendered", VIEW),
    (Service::RenderedSeries, "/dicom-web/studies/{study}/series/{series}/rendered", VIEW),
    (Service::RenderedInstance, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered", VIEW),
    (
        Service::RenderedFrame,
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered",
        VIEW,
    ),
    (Service::ThumbnailOfStudy, "/dicom-web/studies/{study}/thumbnail", VIEW),
    (Service::ThumbnailOfSeries, "/dicom-web/studies/{study}/series/{series}/thumbnail", VIEW),
    (Service::ThumbnailOfInstance, "/dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail", VIEW),
    (
        Service::ThumbnailOfFrame,
        "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail",
        VIEW,
    ),
    (Service::IiifBase, "/iiif/{id}", VIEW),
    (Service::IiifInfo, "/iiif/{id}/info.json", VIEW),
    (Service::IiifImage, "/iiif/{id}/{region}/{size}/{rotation}/{last}", VIEW),
    (Service::Changes, "/changes", VIEW),
    (Service::ListStudies, "/search", VIEW),
    // A new worklist needs the permission to administer besides, which the handler asks for.
    (Service::Worklists, "/reading/worklists", READ),
    (Service::Claim, "/reading/worklists/{worklist}/claim", READ),
    (Service::Release, "/reading/items/{item}/release", READ),
    (Service::Verdicts, "/reading/verdicts", READ),
    (Service::Undo, "/reading/verdicts/{verdict}/undo", READ),
    (Service::Codes, "/reading/codes", READ),
    (Service::Exports, "/reading/worklists/{worklist}/exports", RESULTS),
    (Service::ResultsCsv, "/reading/worklists/{worklist}/results.csv", RESULTS),
    (Service::ResultsFhir, "/reading/worklists/{worklist}/fhir", RESULTS),
    (Service::ReportOfVerdict, "/reading/verdicts/{verdict}/sr", RESULTS),
    // Files of it need the permission to download besides, which the handler asks for.
    (Service::WadoUri, "/wado", VIEW),
    (Service::Capabilities, "/dicom-web", VIEW),
    (Service::Capabilities, "/dicom-web/", VIEW),
    (Service::Session, "/session", Needs::Nothing),
    (Service::SignIn, "/sign-in", Needs::Nothing),
    (Service::Description, "/openapi.json", Needs::Nothing),
    (Service::Page, "/", Needs::Nothing),
    (Service::PageOfStudy, "/study/{study}", Needs::Nothing),
    (Service::Asset, "/viewer/{*path}", Needs::Nothing),
];
