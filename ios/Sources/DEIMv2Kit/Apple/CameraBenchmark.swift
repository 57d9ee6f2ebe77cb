#if canImport(CoreVideo) && canImport(VideoToolbox)
  import CoreVideo
  import Foundation

  extension Benchmark {
    /// Times `runs` frames of 1280x720 on the way that the camera's take, after `warmUp` others. nil for
    /// no runs. Throws image, and what the detector throws.
    public static func camera(
      _ detector: any Detector, runs: Int = 100, warmUp: Int = 10
    ) async throws -> Benchmark? {
      let (width, height) = (1280, 720)
      let noise = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
      let buffer = try makePixelBuffer(width: width, height: height)
      try Frame(width: width, height: height, bytes: noise).copy(to: buffer)
      let preprocessor = try CameraPreprocessor(detector.manifest)
      return try await measure(
        frame: "\(width)x\(height)", runs: runs, warmUp: warmUp, heat: heat,
        prepare: { try preprocessor.frame(buffer) }, detect: detector.detect)
    }

    /// In the system's word.
    private static func heat() -> String? {
      switch ProcessInfo.processInfo.thermalState {
      case .nominal: "nominal"
      case .fair: "fair"
      case .serious: "serious"
      case .critical: "critical"
      @unknown default: nil
      }
    }
  }
#endif
