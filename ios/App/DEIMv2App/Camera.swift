import AVFoundation
import DEIMv2Kit

/// A camera. Unchecked, because everything that changes is touched on `queue` alone.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
  private let queue = DispatchQueue(label: "camera")
  private let session = AVCaptureSession()
  private let rotation: AVCaptureDevice.RotationCoordinator
  private let preprocessor: CameraPreprocessor
  private let shots: AsyncThrowingStream<Shot, any Error>.Continuation

  /// The one on that side, or else the other.
  static func device(at position: AVCaptureDevice.Position) -> AVCaptureDevice? {
    let other: AVCaptureDevice.Position = position == .back ? .front : .back
    return [position, other].lazy.compactMap {
      AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: $0)
    }.first
  }

  /// Frames, upright, until the task that reads them ends. A frame that comes while the one before is
  /// still being detected replaces it, so the picture never lags behind.
  static func shots(
    from device: AVCaptureDevice, for manifest: Manifest
  ) throws -> AsyncThrowingStream<Shot, any Error> {
    let (stream, continuation) = AsyncThrowingStream.makeStream(
      of: Shot.self, throwing: (any Error).self, bufferingPolicy: .bufferingNewest(1))
    let camera = try Camera(device, manifest, continuation)
    continuation.onTermination = { _ in camera.stop() }
    camera.start()
    return stream
  }

  private init(
    _ device: AVCaptureDevice, _ manifest: Manifest,
    _ shots: AsyncThrowingStream<Shot, any Error>.Continuation
  ) throws {
    self.shots = shots
    preprocessor = try CameraPreprocessor(manifest)
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
  }

  private func start() { queue.async { self.session.startRunning() } }
  private func stop() { queue.async { self.session.stopRunning() } }

  func captureOutput(
    _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer,
    from connection: AVCaptureConnection
  ) {
    let angle = rotation.videoRotationAngleForHorizonLevelCapture
    if connection.videoRotationAngle != angle, connection.isVideoRotationAngleSupported(angle) {
      connection.videoRotationAngle = angle  // later frames come upright
    }
    guard let buffer = sample.imageBuffer else { return }
    do {
      shots.yield(try Shot(buffer, by: preprocessor))
    } catch {
      shots.finish(throwing: error)
    }
  }
}
