// Words for what a file says of a patient.

import { t } from "./i18n.js";

/** Patient's Sex (PS3.3 C.7.1.1) as a word. */
export function sex(value) {
  return ["M", "F", "O"].includes(value) ? t(`sex${value}`) : value;
}
