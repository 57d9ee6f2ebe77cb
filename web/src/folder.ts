/** The folder that a web server serves. */

import type { Folder } from "./manifest.ts";
import { Problem, sentenceOf } from "./problem.ts";

/** address: with a slash at its end. Its files are asked for anew, in case that they were exchanged. */
export function webFolder(address: string): Folder {
  return {
    place: address.replace(/\/$/, ""),
    async read(name) {
      let response: Response;
      try {
        response = await fetch(address + name, { cache: "no-cache" });
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw new Problem(
          `'${address}${name}' cannot be read (${sentenceOf(error)}); check the connection and load the page again`,
        );
      }
      if (response.status === 404) return null;
      throw new Problem(
        `'${address}${name}' cannot be read (the server answers ${response.status}); check the server`,
      );
    },
  };
}
