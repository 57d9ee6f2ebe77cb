#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import AVFoundation

  /// A camera. Unchecked, because everything that changes is touched on `queue` alone.
  final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
    private let queue = DispatchQueue(label: "camera")
    private let session = AVCaptureSession()
    private let rotation: AVCaptureDevice.RotationCoordinator
    private let frames: AsyncThrowingStream<Captured, any Error>.Continuation
    private var observers: [any NSObjectProtocol] = []

    /// A frame as it came. Unchecked, because only the reader of `shots` looks at it.
    struct Captured: @unchecked Sendable { let buffer: CVImageBuffer }

    typealias Shots = AsyncThrowingMapSequence<
      AsyncThrowingStream<Captured, any Error>, Result<Shot, any Error>
    >

    /// The one on that side, or else the other.
    static func device(at position: AVCaptureDevice.Position) -> AVCaptureDevice? {
      let other: AVCaptureDevice.Position = position == .back ? .front : .back
      return [position, other].lazy.compactMap {
        AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: $0)
      }.first
    }

    /// Frames, upright, until the camera fails or the task that reads them ends. A frame that comes
    /// while the one before is still being detected replaces it, so the picture never lags behind; it
    /// is scaled when it is read, and one that cannot be scaled takes no other with it.
    /// `interrupted` is told why no frames come, and nil once they come again. Not on the main thread:
    /// opening a camera takes long.
    static func shots(
      at position: AVCaptureDevice.Position, for manifest: Manifest,
      interrupted: @escaping @MainActor (String?) -> Void
    ) async throws -> Shots {
      guard let device = device(at: position) else {
        throw DEIMv2Error.image(reason: "there is no camera")
      }
      nonisolated(unsafe) let preprocessor = try CameraPreprocessor(manifest)  // of one reader
      let (shots, frames) = newest { (frame: Captured) in
        Result { try Shot(frame.buffer, by: preprocessor) }
      }
      let camera = try Camera(device, frames)
      camera.observe(interrupted)
      frames.onTermination = { _ in camera.stop() }
      camera.start()
      return shots
    }

    private init(
      _ device: AVCaptureDevice, _ frames: AsyncThrowingStream<Captured, any Error>.Continuation
    ) throws {
      self.frames = frames
      rotation = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: nil)
      super.init()
      let output = AVCaptureVideoDataOutput()
      output.videoSettings = [
        kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA
      ]
      output.alwaysDiscardsLateVideoFrames = true
      output.setSampleBufferDelegate(self, queue: queue)
      let input = try AVCaptureDeviceInput(device: device)
      session.beginConfiguration()
      defer { session.commitConfiguration() }
      guard session.canAddInput(input), session.canAddOutput(output) else {
        throw DEIMv2Error.image(reason: "the camera gives no frames")
      }
      session.addInput(input)
      session.addOutput(output)
      if session.canSetSessionPreset(.hd1280x720) { session.sessionPreset = .hd1280x720 }
      // Else iPadOS takes the camera away beside another app.
      if session.isMultitaskingCameraAccessSupported {
        session.isMultitaskingCameraAccessEnabled = true
      }
    }

    private func observe(_ interrupted: @escaping @MainActor (String?) -> Void) {
      let frames = frames
      observers = [
        on("AVCaptureSessionRuntimeErrorNotification", queue: nil) { failure in
          let error = failure.userInfo?[AVCaptureSessionErrorKey] as? any Error
          frames.finish(throwing: error ?? DEIMv2Error.image(reason: "the camera stopped"))
        },
        on("AVCaptureSessionWasInterruptedNotification", queue: .main) { interruption in
          let reason = interruption.userInfo?[AVCaptureSessionInterruptionReasonKey] as? Int
          let sentence = Self.sentence(reason.flatMap { .init(rawValue: $0) })
          MainActor.assumeIsolated { interrupted(sentence) }
        },
        on("AVCaptureSessionInterruptionEndedNotification", queue: .main) { _ in
          MainActor.assumeIsolated { interrupted(nil) }
        },
      ]
    }

    /// By the constants' own names: Swift's names for them differ from Xcode to Xcode.
    private func on(
      _ name: String, queue: OperationQueue?, _ said: @escaping @Sendable (Notification) -> Void
    ) -> any NSObjectProtocol {
      NotificationCenter.default.addObserver(
        forName: Notification.Name(name), object: session, queue: queue, using: said)
    }

    /// nil where nobody sees the camera's picture.
    private static func sentence(_ reason: AVCaptureSession.InterruptionReason?) -> String? {
      switch reason {
      case .videoDeviceNotAvailableInBackground: nil
      case .videoDeviceInUseByAnotherClient:
        "Another app uses the camera; the picture goes on once it is free."
      case .videoDeviceNotAvailableWithMultipleForegroundApps:
        "There is no camera beside other apps on this iPad; give this app the whole screen."
      case .videoDeviceNotAvailableDueToSystemPressure:
        "The system stopped the camera; the picture goes on once the device has cooled."
      default: "The system interrupted the camera; the picture goes on when it may."
      }
    }

    private func start() { queue.async { self.session.startRunning() } }
    private func stop() { queue.async { self.session.stopRunning() } }

    deinit {
      for observer in observers { NotificationCenter.default.removeObserver(observer) }
    }

    func captureOutput(
      _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer,
      from connection: AVCaptureConnection
    ) {
      let angle = rotation.videoRotationAngleForHorizonLevelCapture
      if connection.videoRotationAngle != angle, connection.isVideoRotationAngleSupported(angle) {
        connection.videoRotationAngle = angle  // from the next frame on
        return
      }
      if let buffer = sample.imageBuffer { frames.yield(Captured(buffer: buffer)) }
    }
  }
#endif
