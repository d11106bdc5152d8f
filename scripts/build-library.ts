/* Bundles the entries of the package and the modules that the service starts. The compiler writes the types. */
import { bundleLibrary, libraryInput } from "./bundle-library.ts";

await bundleLibrary(libraryInput(), { dir: "dist", maps: true });
