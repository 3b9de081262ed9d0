-- The hot index: where everything is and what people search by. It holds nothing that the objects, the intake
-- segments and the event logs do not hold as well, and can be deleted at any time (`tsunagu rebuild`).

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Attributes are those of the instance of the study that was taken in first.
CREATE TABLE study (
  id INTEGER PRIMARY KEY,
  StudyInstanceUID TEXT NOT NULL UNIQUE,
  PatientID TEXT NOT NULL,
  IssuerOfPatientID TEXT NOT NULL,
  PatientName TEXT NOT NULL,
  PatientNameKey TEXT NOT NULL,          -- folded, '=' before, between and after the component groups
  PatientBirthDate TEXT NOT NULL,
  PatientSex TEXT NOT NULL,
  StudyDate TEXT NOT NULL,
  StudyTime TEXT NOT NULL,
  AccessionNumber TEXT NOT NULL,
  StudyID TEXT NOT NULL,
  StudyDescription TEXT NOT NULL,
  ReferringPhysicianName TEXT NOT NULL,
  TimezoneOffsetFromUTC TEXT NOT NULL,
  Centre TEXT NOT NULL,
  FirstSequence INTEGER NOT NULL,
  LastReceivedAt TEXT NOT NULL,
  ReceivedBytes INTEGER NOT NULL,
  NumberOfStudyRelatedInstances INTEGER NOT NULL
) STRICT;
CREATE INDEX study_patient ON study (PatientID, IssuerOfPatientID);
CREATE INDEX study_date ON study (StudyDate, FirstSequence);
CREATE INDEX study_taken_in ON study (FirstSequence);
CREATE INDEX study_accession ON study (AccessionNumber);
CREATE INDEX study_birth ON study (PatientBirthDate, StudyDate, FirstSequence);
CREATE INDEX study_centre ON study (Centre, StudyDate, FirstSequence);

-- What a name that is searched for begins with (archive/src/fold), in the order answers come.
CREATE TABLE name_key (
  Name TEXT NOT NULL,
  StudyDate TEXT NOT NULL,
  FirstSequence INTEGER NOT NULL,
  study INTEGER NOT NULL,
  PRIMARY KEY (Name, StudyDate, FirstSequence)
) STRICT, WITHOUT ROWID;

-- How many studies there are a day: to find the n-th without counting to n.
CREATE TABLE study_rank (
  StudyDate TEXT PRIMARY KEY,
  Studies INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER study_counted AFTER INSERT ON study BEGIN
  INSERT INTO study_rank VALUES (NEW.StudyDate, 1) ON CONFLICT DO UPDATE SET Studies = Studies + 1;
END;
CREATE TRIGGER study_moved AFTER UPDATE OF StudyDate, FirstSequence ON study BEGIN
  UPDATE study_rank SET Studies = Studies - 1 WHERE StudyDate = OLD.StudyDate;
  INSERT INTO study_rank VALUES (NEW.StudyDate, 1) ON CONFLICT DO UPDATE SET Studies = Studies + 1;
  UPDATE study_modality SET StudyDate = NEW.StudyDate, FirstSequence = NEW.FirstSequence
    WHERE Modality IN (SELECT Modality FROM series WHERE study = NEW.id)
      AND StudyDate = OLD.StudyDate AND FirstSequence = OLD.FirstSequence;
END;

-- The studies of a modality in the order answers come.
CREATE TABLE study_modality (
  Modality TEXT NOT NULL,
  StudyDate TEXT NOT NULL,
  FirstSequence INTEGER NOT NULL,        -- of the study
  study INTEGER NOT NULL,
  PRIMARY KEY (Modality, StudyDate, FirstSequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  study INTEGER NOT NULL REFERENCES study (id),
  SeriesInstanceUID TEXT NOT NULL,
  Modality TEXT NOT NULL,
  SeriesNumber INTEGER,
  SeriesDescription TEXT NOT NULL,
  BodyPartExamined TEXT NOT NULL,
  Laterality TEXT NOT NULL,
  PerformedProcedureStepStartDate TEXT NOT NULL,
  PerformedProcedureStepStartTime TEXT NOT NULL,
  Manufacturer TEXT NOT NULL,
  ManufacturerModelName TEXT NOT NULL,
  RequestAttributes TEXT NOT NULL,       -- JSON, empty where there are none
  FirstSequence INTEGER NOT NULL,
  NumberOfSeriesRelatedInstances INTEGER NOT NULL,
  UNIQUE (study, SeriesInstanceUID)
) STRICT;
CREATE INDEX series_uid ON series (SeriesInstanceUID);
CREATE TRIGGER series_modality_known AFTER INSERT ON series WHEN NEW.Modality <> '' BEGIN
  INSERT OR IGNORE INTO study_modality
    SELECT NEW.Modality, StudyDate, FirstSequence, id FROM study WHERE id = NEW.study;
END;
CREATE TRIGGER series_modality_changed AFTER UPDATE OF Modality ON series WHEN NEW.Modality <> OLD.Modality BEGIN
  DELETE FROM study_modality WHERE Modality = OLD.Modality
    AND (StudyDate, FirstSequence) = (SELECT StudyDate, FirstSequence FROM study WHERE id = NEW.study)
    AND NOT EXISTS (SELECT 1 FROM series WHERE study = NEW.study AND Modality = OLD.Modality);
  INSERT OR IGNORE INTO study_modality
    SELECT NEW.Modality, StudyDate, FirstSequence, id FROM study WHERE id = NEW.study AND NEW.Modality <> '';
END;

-- Compact on purpose: ten years are 270 million rows. Everything else of an instance is in its pack or segment.
CREATE TABLE instance (
  sequence INTEGER PRIMARY KEY,          -- take-in order
  sop BLOB NOT NULL,                     -- first 16 bytes of SHA-256 of the SOP Instance UID
  series INTEGER NOT NULL REFERENCES series (id),
  file BLOB NOT NULL,                    -- first 16 bytes of SHA-256 of the file as received
  data_set BLOB NOT NULL,                -- first 16 bytes of SHA-256 of the Data Set; empty while nobody asked for it
  received_bytes INTEGER NOT NULL,
  variant INTEGER NOT NULL,              -- 1: kept beside another of the same UID, never listed
  container INTEGER NOT NULL,            -- a pack's number, or a segment's number negated
  position INTEGER NOT NULL              -- entry in the pack, or byte offset in the segment
) STRICT;
CREATE INDEX instance_sop ON instance (sop);
CREATE INDEX instance_series ON instance (series, sequence);
CREATE INDEX instance_backlog ON instance (container, series) WHERE container < 0;

CREATE TABLE segment (
  number INTEGER PRIMARY KEY,
  replayed_bytes INTEGER NOT NULL,       -- records below this offset are in the index
  damaged INTEGER NOT NULL DEFAULT 0     -- 1: some of it could not be read; it is never removed
) STRICT;

CREATE TABLE pack (
  number INTEGER PRIMARY KEY,
  study INTEGER NOT NULL REFERENCES study (id),
  bytes INTEGER NOT NULL,
  key TEXT NOT NULL,
  created_at TEXT NOT NULL,
  coded TEXT NOT NULL,                   -- transfer syntaxes of what is held packed in it, sorted, '\' between
  replaced_by INTEGER,                   -- the pack that has its instances now
  replaced_at TEXT,
  removed INTEGER NOT NULL DEFAULT 0     -- 1: replaced, and its object is gone
) STRICT;
CREATE INDEX pack_study ON pack (study, number);
CREATE INDEX pack_replaced ON pack (replaced_at) WHERE replaced_by IS NOT NULL AND removed = 0;
CREATE INDEX pack_replaced_by ON pack (replaced_by) WHERE replaced_by IS NOT NULL;

CREATE TABLE batch (
  centre TEXT NOT NULL,
  id TEXT NOT NULL,
  programme TEXT NOT NULL,
  expected INTEGER,
  opened_at TEXT NOT NULL,
  PRIMARY KEY (centre, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch_item (
  centre TEXT NOT NULL,
  batch TEXT NOT NULL,
  file TEXT NOT NULL,
  digest BLOB NOT NULL,                  -- SHA-256 of the file as received
  outcome TEXT NOT NULL,                 -- stored, already-held, variant, quarantined
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  next_step TEXT NOT NULL,
  PRIMARY KEY (centre, batch, file, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
  digest TEXT PRIMARY KEY,               -- SHA-256 of the file, hexadecimal
  state TEXT NOT NULL,                   -- held, released, discarded
  record TEXT NOT NULL                   -- JSON, as kept beside the object
) STRICT, WITHOUT ROWID;
