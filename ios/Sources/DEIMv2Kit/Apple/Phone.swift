#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import Foundation
  import UIKit

  extension ProcessInfo {
    /// The system slows everything down soon, if this goes on.
    public var isHot: Bool { [.serious, .critical].contains(thermalState) }
  }

  @MainActor private var works = 0  // that keep the screen on

  /// The screen stays on during `work`, also where other work ends meanwhile.
  @MainActor public func keepingAwake(_ work: @MainActor () async -> Void) async {
    works += 1
    UIApplication.shared.isIdleTimerDisabled = true
    await work()
    works -= 1
    UIApplication.shared.isIdleTimerDisabled = works > 0
  }
#endif
