//! The read side: QIDO-RS, WADO-RS, access, audit, and the viewer page.
