/** Lets this process and its children find servers such as nginx, whose folders are not on the PATH of every user. */
export function findSystemPrograms(): void {
  process.env["PATH"] = [process.env["PATH"], "/usr/local/sbin", "/usr/sbin", "/sbin"].join(":");
}
