// The page: what it is made of.

import { bringing } from "./bring.js";
import { Desk } from "./desk.js";
import { searchable, settled } from "./patients.js";

searchable();
settled();
bringing(document.querySelector("#upload"));
const form = document.querySelector("#order");
if (form) new Desk(form).open();
