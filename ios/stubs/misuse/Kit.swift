// expect: missing return in
import DEIMv2Kit

struct Broken: Detector {
  let manifest: Manifest
  let artifact = ""
  let processor = ""
  func detect(_ frame: Frame) async throws -> [Detection] {}
}
