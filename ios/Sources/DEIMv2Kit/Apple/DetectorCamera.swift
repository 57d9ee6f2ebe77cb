#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import Foundation
  import SwiftUI

  /// A `CameraView` of an export's folder: opens its `.mlpackage` on the fastest processor, and says in words
  /// what fails.
  public struct DetectorCamera: View {
    private let folder: URL
    @State private var detector: CoreMLDetector?
    @State private var problem: String?

    /// Such as `Bundle.main.bundleURL.appending(path: "atto")`.
    public init(_ folder: URL) { self.folder = folder }

    public var body: some View {
      Group {
        if let detector {
          CameraView(detector)
        } else if let problem {
          ContentUnavailableView(
            "No model is open", systemImage: "exclamationmark.triangle", description: Text(problem))
        } else {
          ProgressView("Loading the model")
        }
      }
      .frame(maxWidth: .infinity, maxHeight: .infinity)
      .task(id: folder) { await open() }
    }

    /// Once a folder, not each time that the view appears.
    private func open() async {
      if detector?.manifest.folder == folder { return }
      (detector, problem) = (nil, nil)
      do {
        let opened = try await Self.open(folder)
        try Task.checkCancellation()
        detector = opened
      } catch {
        if !Task.isCancelled { problem = error.localizedDescription }
      }
    }

    private nonisolated static func open(_ folder: URL) async throws -> CoreMLDetector {
      try await CoreMLDetector.fastest(Manifest(folder: folder))
    }
  }
#endif
