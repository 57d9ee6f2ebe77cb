import CoreGraphics
import DEIMv2Kit
import Observation
import SwiftUI
import UIKit

#if canImport(DEIMv2ExecuTorch)
  import DEIMv2ExecuTorch
#endif

/// What all screens share: which model runs on which processor, and what the user chose.
@MainActor @Observable
final class DetectorModel {
  /// The exports in the app's `Models` folder, which `deimv2 app ios` fills.
  let exports = DetectorModel.findExports()
  var choice = Choice()
  var threshold: Float = 0.4
  /// Whether objects of the camera keep an id from frame to frame.
  var followsObjects = false
  var showsProblem = false
  private(set) var problem = ""
  private(set) var detector: (any Detector)?
  /// How many detectors were opened: what was done with one is done again with the next.
  private(set) var openings = 0
  private(set) var opening = true
  /// Why no model is open, where none will be.
  private(set) var failure: String?

  struct Choice: Hashable {
    /// nil: the first of `exports`.
    var export: URL?
    var runtime = Runtime.coreML
    /// nil: the fastest that passes the check.
    var units: ComputeUnits?
  }

  /// `.pte` can be chosen once the product DEIMv2ExecuTorch is linked (ios/README.md).
  enum Runtime: String, CaseIterable, Identifiable {
    case coreML = "Core ML"
    #if canImport(DEIMv2ExecuTorch)
      case execuTorch = "ExecuTorch"
    #endif
    var id: Self { self }
  }

  func show(_ error: any Error) {
    problem = error.localizedDescription
    showsProblem = true
  }

  /// Opens what is chosen now; a later choice cancels this one.
  func open() async {
    (opening, failure) = (true, nil)
    let last = detector?.manifest.folder
    detector = nil
    do {
      let manifest = try chosenManifest()
      if manifest.folder != last { threshold = manifest.scoreThreshold }
      let opened = try await Self.open(manifest, choice)
      if Task.isCancelled { return }
      detector = opened
      openings += 1
    } catch {
      if Task.isCancelled { return }
      failure = error.localizedDescription
      show(error)
    }
    opening = false
  }

  /// Replays the golden photographs on every processor, `timed`: and times it; the report is as
  /// `deimv2 verify --json` says it.
  func check(timed: Bool) async throws -> ParityCheck.Report {
    let device = "\(Self.hardware()), iOS \(UIDevice.current.systemVersion)"
    let timing: ParityCheck.Timing = { try await Benchmark.camera($0) }
    return try await Self.check(try chosenManifest(), device, timed ? timing : nil)
  }

  /// Such as "iPhone17,1"; UIDevice says "iPhone" alone.
  private static func hardware() -> String {
    var names = utsname()
    uname(&names)
    return withUnsafeBytes(of: &names.machine) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private nonisolated static func check(
    _ manifest: Manifest, _ device: String, _ timing: ParityCheck.Timing?
  ) async throws -> ParityCheck.Report {
    let goldens = try Golden.all(of: manifest)
    var rows: [ParityCheck.Row] = []
    if manifest.has("mlpackage") {
      rows += await CoreMLDetector.fastest(manifest, on: goldens, afresh: true, timing: timing).rows
    }
    #if canImport(CoreAI)
      if #available(iOS 27, *), manifest.has("aimodel") {
        do {
          let detector = try await CoreAIDetector(manifest)
          rows.append(await ParityCheck.run(detector, on: goldens, timing: timing))
        } catch {
          rows.append(ParityCheck.failed("aimodel", on: "Core AI", error))
        }
      }
    #endif
    #if canImport(DEIMv2ExecuTorch)
      if manifest.has("pte") {
        do {
          let detector = try ExecuTorchDetector(manifest)
          rows.append(await ParityCheck.run(detector, on: goldens, timing: timing))
        } catch {
          rows.append(ParityCheck.failed("pte", on: "CPU (XNNPACK)", error))
        }
      }
    #endif
    if rows.isEmpty { _ = try manifest.file(format: "mlpackage") }  // throws: nothing runs here
    return ParityCheck.Report(
      folder: manifest.folder.lastPathComponent, device: device, rows: rows)
  }

  private nonisolated static func open(
    _ manifest: Manifest, _ choice: Choice
  ) async throws -> any Detector {
    switch choice.runtime {
    case .coreML:
      if let units = choice.units { return try await CoreMLDetector(manifest, on: units) }
      return try await CoreMLDetector.fastest(manifest)
    #if canImport(DEIMv2ExecuTorch)
      case .execuTorch:
        return try ExecuTorchDetector(manifest)
    #endif
    }
  }

  private func chosenManifest() throws(DEIMv2Error) -> Manifest {
    guard let folder = choice.export ?? exports.first else {
      throw .noManifest(folder: "Models")
    }
    return try Manifest(folder: folder)
  }

  private static func findExports() -> [URL] {
    let models = Bundle.main.bundleURL.appending(path: "Models")
    let folders = try? FileManager.default.contentsOfDirectory(
      at: models, includingPropertiesForKeys: nil)
    return (folders ?? [])
      .filter {
        FileManager.default.fileExists(atPath: $0.appending(path: Manifest.fileName).path)
      }
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
  }
}

extension Manifest {
  fileprivate func has(_ format: String) -> Bool { files.contains { $0.format == format } }
}
