#!/usr/bin/env python3
"""Queries, gets and asks for storage commitment with pynetdicom, and compares everything with the files.

    dimse.py PORT REPORT_PORT FILES

PORT is where the archive listens, REPORT_PORT where it reaches the AE title PYNET; FILES is a folder of Part 10 files that
it holds. Exit status: 0 all agree, 1 something is wrong, 3 pynetdicom is not installed.
"""

import importlib.util
import io
import pathlib
import queue
import sys
import time

NEEDS = ["pynetdicom", "pydicom"]
CALLED = "TSUNAGU"
TIMEOUT_S = 60


def check(condition, sentence):
    if not condition:
        print(f"WRONG: {sentence}", file=sys.stderr)
        sys.exit(1)


def associate(port, contexts, title="PYNET", ext_neg=None, handlers=None):
    from pynetdicom import AE

    ae = AE(ae_title=title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = TIMEOUT_S
    for sop_class, syntaxes in contexts:
        ae.add_requested_context(sop_class, syntaxes)
    association = ae.associate("127.0.0.1", port, ae_title=CALLED, ext_neg=ext_neg, evt_handlers=handlers or [])
    check(association.is_established, f"{title} is not let in")
    return association


def find(association, identifier, sop_class):
    responses = list(association.send_c_find(identifier, sop_class))
    check(responses and responses[-1][0].Status == 0, f"C-FIND ended with {responses[-1][0] if responses else None}")
    return [identifier for status, identifier in responses[:-1]]


def queries(port, files):
    from pydicom.dataset import Dataset
    from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PatientFind
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyFind

    plain = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
    association = associate(port, [(StudyFind, plain), (PatientFind, plain[1:])])
    asked = 0
    for charset in ["ISO_IR 192", ["", "ISO 2022 IR 87"], ["ISO 2022 IR 13", "ISO 2022 IR 87"]]:
        for file in files:
            groups = str(file.PatientName).split("=")
            if len(groups) < 2:
                continue
            query = Dataset()
            query.SpecificCharacterSet = charset
            query.QueryRetrieveLevel = "STUDY"
            query.PatientName = "*=" + groups[1].split("^")[0] + "*"
            query.PatientID = query.StudyInstanceUID = query.NumberOfStudyRelatedInstances = ""
            found = {item.StudyInstanceUID: item for item in find(association, query, StudyFind)}
            check(file.StudyInstanceUID in found, f"a name asked in {charset} does not find its study")
            item = found[file.StudyInstanceUID]
            check(str(item.PatientName) == str(file.PatientName), f"asked in {charset}, the name comes back as another")
            check(item.PatientID == file.PatientID and item.RetrieveAETitle == CALLED, "ID or Retrieve AE Title differs")
            check("StudyDate" not in item, "what was not asked for is there")
            asked += 1
    check(asked > 0, "no file has a name in kanji")
    for file in files:
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.PatientID, query.StudyInstanceUID = file.PatientID, file.StudyInstanceUID
        query.SeriesInstanceUID, query.SOPInstanceUID, query.InstanceNumber = file.SeriesInstanceUID, "", ""
        found = {item.SOPInstanceUID for item in find(association, query, PatientFind)}
        check(file.SOPInstanceUID in found, f"instance {file.SOPInstanceUID} is not found in the patient root")
    association.release()
    return asked


def gets(port, files):
    from pydicom.dataset import Dataset
    from pynetdicom import build_role, evt
    from pynetdicom.dsutils import decode
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as StudyGet

    classes = sorted({file.SOPClassUID for file in files})
    got = {}

    def store(event):
        got[event.request.AffectedSOPInstanceUID] = (event.context.transfer_syntax, event.request.DataSet.getvalue())
        return 0x0000

    contexts = [(StudyGet, ["1.2.840.10008.1.2"])]
    contexts += [(uid, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]) for uid in classes]
    roles = [build_role(uid, scp_role=True) for uid in classes]
    association = associate(port, contexts, ext_neg=roles, handlers=[(evt.EVT_C_STORE, store)])
    for study in sorted({file.StudyInstanceUID for file in files}):
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study
        statuses = [status for status, _ in association.send_c_get(query, StudyGet)]
        check(statuses[-1].Status == 0, f"C-GET ended with {statuses[-1]}")
    association.release()
    exact = 0
    for file in files:
        check(file.SOPInstanceUID in got, f"instance {file.SOPInstanceUID} did not come")
        syntax, data_set = got[file.SOPInstanceUID]
        if file.file_meta.TransferSyntaxUID == syntax:
            whole = pathlib.Path(file.filename).read_bytes()
            check(whole.endswith(data_set), f"instance {file.SOPInstanceUID} is not bit for bit what was sent")
            exact += 1
        else:
            decoded = decode(io.BytesIO(data_set), syntax.is_implicit_VR, syntax.is_little_endian)
            check(decoded.Rows == file.Rows and str(decoded.PatientName) == str(file.PatientName), "a header differs")
    check(exact > 0, "no instance was sent in what it is got in")
    return exact


def commits(port, report_port, files):
    from pydicom.dataset import Dataset
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import StorageCommitmentPushModel as Commitment
    from pynetdicom.sop_class import StorageCommitmentPushModelInstance as INSTANCE

    reports = queue.Queue()

    def reported(event):
        reports.put((event.event_type, event.event_information))
        return 0x0000, None

    def ask(association, transaction, unknown):
        request = Dataset()
        request.TransactionUID = transaction
        request.ReferencedSOPSequence = []
        for uid, sop_class in [(file.SOPInstanceUID, file.SOPClassUID) for file in files] + unknown:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
            request.ReferencedSOPSequence.append(item)
        status, _ = association.send_n_action(request, 1, Commitment, INSTANCE)
        check(status and status.Status == 0, f"N-ACTION was answered {status}")

    def outcome(transaction):
        event_type, information = reports.get(timeout=TIMEOUT_S)
        check(information.TransactionUID == transaction, "another transaction was reported")
        failed = [item.FailureReason for item in information.get("FailedSOPSequence", [])]
        return event_type, len(information.get("ReferencedSOPSequence", [])), failed

    handlers = [(evt.EVT_N_EVENT_REPORT, reported)]
    association = associate(port, [(Commitment, ["1.2.840.10008.1.2"])], handlers=handlers)
    ask(association, "1.2.826.0.1.1", [])
    check(outcome("1.2.826.0.1.1") == (1, len(files), []), "not all is committed on the same association")
    # The handler has returned, but its answer may still be on its way out.
    time.sleep(1)
    association.release()

    server = AE(ae_title="PYNET")
    server.add_supported_context(Commitment, ["1.2.840.10008.1.2"], scu_role=False, scp_role=True)
    listening = server.start_server(("127.0.0.1", report_port), block=False, evt_handlers=handlers)
    association = associate(port, [(Commitment, ["1.2.840.10008.1.2"])])
    ask(association, "1.2.826.0.1.2", [("1.2.826.0.1.3", files[0].SOPClassUID)])
    association.abort()
    check(outcome("1.2.826.0.1.2") == (2, len(files), [0x0112]), "the report on another association is wrong")
    listening.shutdown()


def main():
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
        sys.exit(3)
    from pydicom import dcmread

    port, report_port, folder = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
    files = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    asked = queries(port, files)
    exact = gets(port, files)
    commits(port, report_port, files)
    print(f"pynetdicom: {asked} names found, {exact} of {len(files)} instances got bit for bit, all committed")


main()
