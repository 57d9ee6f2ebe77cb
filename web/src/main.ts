import schema from "../../converters/manifest.schema.json";
import { webFolder } from "./folder.ts";
import { readManifest } from "./manifest.ts";
import { Page } from "./page.ts";
import { Problem } from "./problem.ts";
import * as show from "./show.ts";
import { missing } from "./support.ts";

async function start(): Promise<void> {
  const lacking = missing();
  if (lacking !== null) throw new Problem(lacking);
  show.status("Reading manifest.json");
  const home = new URL("./", location.href);
  home.search = home.hash = "";
  const folder = webFolder(home.href);
  const manifest = await readManifest(folder, schema);
  await new Page(manifest, folder, home.href).open();
}

start().catch((error) => {
  show.status("The detector did not start");
  show.problem(error);
});
