// Compile-only stub of AVFoundation's capture classes, asset readers and writers, as documented for iOS 17.
@_exported import CoreGraphics
@_exported import CoreMedia
@_exported import Dispatch

public struct AVMediaType: Hashable, Sendable {
  public static let video = AVMediaType()
}

public enum AVAuthorizationStatus: Int, Sendable {
  case notDetermined, restricted, denied, authorized
}

open class AVCaptureDevice: NSObject {
  public struct DeviceType: Hashable, Sendable {
    public static let builtInWideAngleCamera = DeviceType()
  }
  public enum Position: Int, Sendable { case unspecified, back, front }

  public enum TorchMode: Int, Sendable { case off, on, auto }
  open class Format: NSObject { open var videoMaxZoomFactor: CGFloat { stub() } }

  open var hasTorch: Bool { stub() }
  open var torchMode: TorchMode = .off
  open func isTorchModeSupported(_ torchMode: TorchMode) -> Bool { stub() }
  open var videoZoomFactor: CGFloat = 1
  open var activeFormat: Format { stub() }
  open func lockForConfiguration() throws {}
  open func unlockForConfiguration() {}
  open class func `default`(
    _ deviceType: DeviceType, for mediaType: AVMediaType?, position: Position
  ) -> AVCaptureDevice? { stub() }
  open class func authorizationStatus(for mediaType: AVMediaType) -> AVAuthorizationStatus {
    stub()
  }
  open class func requestAccess(for mediaType: AVMediaType) async -> Bool { stub() }

  open class RotationCoordinator: NSObject {
    public init(device: AVCaptureDevice, previewLayer: AnyObject?) {}
    open var videoRotationAngleForHorizonLevelCapture: CGFloat { stub() }
  }
}

open class AVCaptureInput: NSObject {}
open class AVCaptureOutput: NSObject {}

open class AVCaptureDeviceInput: AVCaptureInput {
  public init(device: AVCaptureDevice) throws {}
}

open class AVCaptureConnection: NSObject {
  open var videoRotationAngle: CGFloat = 0
  open func isVideoRotationAngleSupported(_ videoRotationAngle: CGFloat) -> Bool { stub() }
}

open class AVCaptureVideoDataOutput: AVCaptureOutput {
  public override init() {}
  open var videoSettings: [String: Any]!
  open var alwaysDiscardsLateVideoFrames = true
  open func setSampleBufferDelegate(
    _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
  ) {}
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
  func captureOutput(
    _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
    from connection: AVCaptureConnection)
}

open class AVCaptureSession: NSObject {
  public enum InterruptionReason: Int, Sendable {
    case videoDeviceNotAvailableInBackground = 1
    case audioDeviceInUseByAnotherClient
    case videoDeviceInUseByAnotherClient
    case videoDeviceNotAvailableWithMultipleForegroundApps
    case videoDeviceNotAvailableDueToSystemPressure
  }
  open var isMultitaskingCameraAccessSupported: Bool { stub() }
  open var isMultitaskingCameraAccessEnabled = false
  public struct Preset: Hashable, Sendable {
    public static let hd1280x720 = Preset()
  }
  public override init() {}
  open var sessionPreset: Preset {
    get { stub() }
    set {}
  }
  open func canSetSessionPreset(_ preset: Preset) -> Bool { stub() }
  open func canAddInput(_ input: AVCaptureInput) -> Bool { stub() }
  open func addInput(_ input: AVCaptureInput) {}
  open func canAddOutput(_ output: AVCaptureOutput) -> Bool { stub() }
  open func addOutput(_ output: AVCaptureOutput) {}
  open func beginConfiguration() {}
  open func commitConfiguration() {}
  open func startRunning() {}
  open func stopRunning() {}
}

public let AVCaptureSessionErrorKey = ""
public let AVCaptureSessionInterruptionReasonKey = ""

open class AVPartialAsyncProperty<Root> {}
public final class AVAsyncProperty<Root, Value>: AVPartialAsyncProperty<Root> {}
extension AVPartialAsyncProperty where Root: AVAsset {
  public static var duration: AVAsyncProperty<Root, CMTime> { stub() }
}
public protocol AVAsynchronousKeyValueLoading {}
extension AVAsynchronousKeyValueLoading {
  public func load<T>(_ property: AVAsyncProperty<Self, T>) async throws -> T { stub() }
}

open class AVAsset: NSObject, AVAsynchronousKeyValueLoading {
  public func loadTracks(withMediaType mediaType: AVMediaType) async throws -> [AVAssetTrack] {
    stub()
  }
}
open class AVURLAsset: AVAsset {
  public init(url: URL, options: [String: Any]? = nil) {}
}
open class AVAssetTrack: NSObject {}

open class AVVideoComposition: NSObject {
  open class func videoComposition(
    withPropertiesOf asset: AVAsset
  ) async throws -> AVVideoComposition { stub() }
}

open class AVAssetReaderOutput: NSObject {
  open var alwaysCopiesSampleData = true
  open func copyNextSampleBuffer() -> CMSampleBuffer? { stub() }
}
open class AVAssetReaderVideoCompositionOutput: AVAssetReaderOutput {
  public init(videoTracks: [AVAssetTrack], videoSettings: [String: Any]?) {}
  open var videoComposition: AVVideoComposition?
}

open class AVAssetReader: NSObject {
  public enum Status: Int, Sendable { case unknown, reading, completed, failed, cancelled }
  public init(asset: AVAsset) throws {}
  open var status: Status { stub() }
  open var error: (any Error)? { stub() }
  open func canAdd(_ output: AVAssetReaderOutput) -> Bool { stub() }
  open func add(_ output: AVAssetReaderOutput) {}
  open func startReading() -> Bool { stub() }
}

public struct AVFileType: Hashable, Sendable { public static let mp4 = AVFileType() }
public struct AVVideoCodecType: Hashable, Sendable { public static let h264 = AVVideoCodecType() }
public let AVVideoCodecKey = ""
public let AVVideoWidthKey = ""
public let AVVideoHeightKey = ""

open class AVAssetWriterInput: NSObject {
  public init(mediaType: AVMediaType, outputSettings: [String: Any]?) {}
  open var isReadyForMoreMediaData: Bool { stub() }
  open func markAsFinished() {}
}

open class AVAssetWriterInputPixelBufferAdaptor: NSObject {
  public init(
    assetWriterInput input: AVAssetWriterInput, sourcePixelBufferAttributes: [String: Any]? = nil
  ) {}
  open var pixelBufferPool: CVPixelBufferPool? { stub() }
  open func append(
    _ pixelBuffer: CVPixelBuffer, withPresentationTime presentationTime: CMTime
  ) -> Bool { stub() }
}

open class AVAssetWriter: NSObject {
  public enum Status: Int, Sendable { case unknown, writing, completed, failed, cancelled }
  public init(url outputURL: URL, fileType outputFileType: AVFileType) throws {}
  open var status: Status { stub() }
  open var error: (any Error)? { stub() }
  open func canAdd(_ input: AVAssetWriterInput) -> Bool { stub() }
  open func add(_ input: AVAssetWriterInput) {}
  @discardableResult open func startWriting() -> Bool { stub() }
  open func startSession(atSourceTime startTime: CMTime) {}
  open func cancelWriting() {}
  open func finishWriting(completionHandler handler: @escaping @Sendable () -> Void) {}
}
