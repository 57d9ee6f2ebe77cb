#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import AVFoundation
  import Foundation
  import SwiftUI
  import UIKit

  /// The camera's picture with what a detector finds in it, each picture with its own boxes. It asks for the
  /// permission, offers light, zoom and the other camera, and says in words what fails. The app's Info.plist
  /// needs NSCameraUsageDescription; without it the system ends an app that asks for the camera.
  public struct CameraView: View {
    /// What was found in one frame, and what that took.
    public struct Seen: Sendable {
      public let shot: Shot
      public let found: [DetectionsView.Named]
      public let latencyMs: Double
      public let framesPerSecond: Double
    }

    /// What is wished for now: the task that watches began with another view of the same place.
    @MainActor private final class Wishes {
      var threshold: Float = 0
      var followsObjects = false
    }

    private let detector: any Detector
    private let threshold: Float
    private let followsObjects: Bool
    private let onSeen: @MainActor (Seen) -> Void
    @Environment(\.openURL) private var openURL
    @State private var wishes = Wishes()
    @State private var permission = AVCaptureDevice.authorizationStatus(for: .video)
    @State private var seen: Seen?
    @State private var position = AVCaptureDevice.Position.back
    @State private var stopped: String?  // why there are no more pictures
    @State private var interrupted: String?  // why there are none for now
    @State private var attempts = 0

    /// `threshold`: the score that what is shown has to pass, by default the export's; `followsObjects`:
    /// whether objects keep an id from frame to frame; `onSeen` is told of every frame.
    public init(
      _ detector: any Detector, threshold: Float? = nil, followsObjects: Bool = false,
      onSeen: @escaping @MainActor (Seen) -> Void = { _ in }
    ) {
      self.detector = detector
      self.threshold = threshold ?? detector.manifest.scoreThreshold
      self.followsObjects = followsObjects
      self.onSeen = onSeen
    }

    public var body: some View {
      content
        .frame(maxWidth: .infinity, maxHeight: .infinity)
        .onChange(of: [AnyHashable(threshold), AnyHashable(followsObjects)], initial: true) {
          (wishes.threshold, wishes.followsObjects) = (threshold, followsObjects)
        }
    }

    @ViewBuilder private var content: some View {
      if let device = Camera.device(at: position) {
        switch permission {
        case .authorized: live(device)
        case .notDetermined:
          ContentUnavailableView {
            Label("Use the camera?", systemImage: "camera")
          } description: {
            Text("Frames are looked at on this device and never leave it.")
          } actions: {
            Button("Continue") { ask() }.buttonStyle(.borderedProminent)
          }
        default:
          ContentUnavailableView {
            Label("The camera is off", systemImage: "camera.badge.ellipsis")
          } description: {
            Text("Allow it in Settings.")
          } actions: {
            Button("Open Settings") { openSettings() }.buttonStyle(.bordered)
          }
        }
      } else {
        ContentUnavailableView("No camera here", systemImage: "camera")
      }
    }

    private func live(_ device: AVCaptureDevice) -> some View {
      VStack {
        if let stopped {
          ContentUnavailableView {
            Label("The camera view stopped", systemImage: "camera")
          } description: {
            Text(stopped)
          } actions: {
            Button("Try again") { attempts += 1 }.buttonStyle(.bordered)
          }
        } else if let seen {
          DetectionsView(image: seen.shot.image, found: seen.found)
          if let interrupted { Text(interrupted).font(.footnote) }
          CameraControls(device: device, position: $position)
        } else {
          ProgressView("Starting the camera")
          if let interrupted { Text(interrupted).font(.footnote) }
        }
      }
      .task(id: watched) { await keepingAwake { await watch() } }
    }

    /// By what, from where and for which time: another one is watched anew.
    private var watched: [AnyHashable] {
      [
        AnyHashable(detector.manifest.folder), AnyHashable(detector.artifact),
        AnyHashable(detector.processor), AnyHashable(position), AnyHashable(attempts),
      ]
    }

    /// Ends with its task, or after a second of frames that fail: one may, as on the way to the background.
    private func watch() async {
      (stopped, interrupted) = (nil, nil)
      var (rate, tracker, patience) = (FrameRate(), Tracker(), Patience(most: 30))
      do {
        let shots = try await Camera.shots(at: position, for: detector.manifest) {
          interrupted = $0
        }
        for try await shot in shots {
          do {
            let new = try await detect(shot.get(), &rate, &tracker)
            seen = new
            onSeen(new)
            patience.renew()
          } catch {
            try patience.spend(on: error)
          }
          if ProcessInfo.processInfo.isHot { try await Task.sleep(for: .milliseconds(200)) }
        }
      } catch {
        if !Task.isCancelled { stopped = error.localizedDescription }
      }
    }

    private func detect(
      _ shot: Shot, _ rate: inout FrameRate, _ tracker: inout Tracker
    ) async throws -> Seen {
      let clock = ContinuousClock()
      let start = clock.now
      let detections = try await detector.detect(shot.frame)
      let end = clock.now
      try Task.checkCancellation()
      return Seen(
        shot: shot,
        found: try named(detections, &tracker),
        latencyMs: start.duration(to: end) / .milliseconds(1),
        framesPerSecond: rate.count(end))
    }

    private func named(
      _ detections: [Detection], _ tracker: inout Tracker
    ) throws -> [DetectionsView.Named] {
      let manifest = detector.manifest
      guard wishes.followsObjects else {
        tracker = Tracker()
        return try DetectionsView.named(detections, above: wishes.threshold, by: manifest)
      }
      let ids = tracker.update(detections, threshold: wishes.threshold)
      return try DetectionsView.named(detections, ids: ids, by: manifest)
    }

    private func ask() {
      Task {
        _ = await AVCaptureDevice.requestAccess(for: .video)
        permission = AVCaptureDevice.authorizationStatus(for: .video)
      }
    }

    private func openSettings() {
      if let url = URL(string: UIApplication.openSettingsURLString) { openURL(url) }
    }
  }
#endif
