import AVFoundation
import DEIMv2Kit

/// A camera. Unchecked, because everything that changes is touched on `queue` alone.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
  private let queue = DispatchQueue(label: "camera")
  private let session = AVCaptureSession()
  private let rotation: AVCaptureDevice.RotationCoordinator
  private let frames: AsyncThrowingStream<Captured, any Error>.Continuation
  private var failures: (any NSObjectProtocol)?

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
  static func shots(from device: AVCaptureDevice, for manifest: Manifest) throws -> Shots {
    nonisolated(unsafe) let preprocessor = try CameraPreprocessor(manifest)  // of one reader
    let (shots, frames) = newest { (frame: Captured) in
      Result { try Shot(frame.buffer, by: preprocessor) }
    }
    let camera = try Camera(device, frames)
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
    failures = NotificationCenter.default.addObserver(
      forName: AVCaptureSession.runtimeErrorNotification, object: session, queue: nil
    ) { failure in
      let error = failure.userInfo?[AVCaptureSessionErrorKey] as? any Error
      frames.finish(throwing: error ?? DEIMv2Error.image(reason: "the camera stopped"))
    }
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
  }

  private func start() { queue.async { self.session.startRunning() } }
  private func stop() { queue.async { self.session.stopRunning() } }

  deinit {
    if let failures { NotificationCenter.default.removeObserver(failures) }
  }

  func captureOutput(
    _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer,
    from connection: AVCaptureConnection
  ) {
    let angle = rotation.videoRotationAngleForHorizonLevelCapture
    if connection.videoRotationAngle != angle, connection.isVideoRotationAngleSupported(angle) {
      connection.videoRotationAngle = angle  // later frames come upright
    }
    if let buffer = sample.imageBuffer { frames.yield(Captured(buffer: buffer)) }
  }
}
