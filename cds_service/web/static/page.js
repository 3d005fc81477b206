// The page: what it is made of.

import { bringing, unfolding } from "./bring.js";
import { Desk } from "./desk.js";
import { searchable, settled } from "./patients.js";

searchable();
settled();
bringing(document.querySelector("#upload"));
unfolding(document.querySelector("#to-bring"));
const form = document.querySelector("#order");
if (form) new Desk(form).open();
